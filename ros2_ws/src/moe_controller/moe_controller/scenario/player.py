"""Plays a scenario: stand up, activate, give one goal after the other, sit down. ROS-free.

The robot is behind the `Link` protocol: topics and services in `scenario_node.py`, a fake in the tests. The same code
runs in real time and in lockstep; only `Link.advance` differs.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from robot_bridge.gate_params import GateParams

from .metrics import FALL_HEIGHT, FALL_TILT
from .record import PlayedGoal, Recorder, ee_error, tilt_of
from .scenarios import HOME_TARGET, ODOM_FRAME, Goal

SLICE = 0.05
"""s between two looks at the robot: no more states than the depth of the topics' queues (10 at 200 Hz)."""
VELOCITY_PERIOD = 0.1
"""s between two velocity commands; the controller forgets them after 0.5 s."""
STAND_TIME = 15.0
"""s for standing up, at most."""
ACTIVATE_TIME = 5.0
"""s in which activation is asked for again if the gate refuses."""
STOP_TIME = 1.0
"""s to come to a stand before sitting down: the gate refuses to sit in a stride."""
STOP_VELOCITY = Goal("stop", STOP_TIME, velocity=(0.0, 0.0, 0.0))
STOP_TARGETS = tuple(
    Goal("stop", STOP_TIME, target=tuple(np.add(HOME_TARGET, offset).tolist()))
    for offset in ((0.0, 0.0, 0.15), (0.1, 0.0, 0.1), (0.0, 0.0, 0.0))
)
"""Move with the robot, so nothing is left to walk to. One after the other: after about every second change to a target
near home an earlier policy went on treading on the spot (models/README.md), and there it has to get out of."""
TREADING_TIME = 3.0
"""s for which the legs may go on moving until the next of them is tried."""
SIT_TIME = 15.0
"""s for sitting down, at most, and before that for legs that do not come to rest."""
FAULT_TIME = GateParams().command_damp_after + 0.5
"""s that are still recorded after the gate has left ACTIVE: holding turns into damping."""
ASKED_FOR = ("requested", "emergency stop")
"""How the gate's reasons begin when somebody asked for it."""
ARRIVED_ERROR = 0.05
"""m; an end effector that stays this near for `ARRIVED_TIME` has arrived."""
ARRIVED_TIME = 1.5
"""s, longer than the window in which the error counts as settled."""

EPSILON = 1e-6
"""s; stamps are multiples of nanoseconds."""


class LinkError(RuntimeError):
    """The robot cannot be reached any more; one line that says what is missing."""


class Interrupted(Exception):
    """Somebody wants the run to end now."""


class Link(Protocol):
    """How the player reaches the robot."""

    @property
    def recorder(self) -> Recorder:
        """What has been heard."""

    @property
    def now(self) -> float:
        """Stamp of the newest state, s."""

    @property
    def mode(self) -> str:
        """Mode of the safety gate; empty before the first message."""

    @property
    def reason(self) -> str:
        """Why the gate is in this mode."""

    def advance(self, until: float) -> None:
        """Let time pass until there is a state of this time. Raises LinkError, Interrupted."""

    def request(self, service: str) -> tuple[bool, str]:
        """Call `/safety/<service>`; return whether the gate accepted and what it said."""

    def send_target(self, goal: Goal) -> None:
        """Publish the target of a goal."""

    def send_path(self, goal: Goal) -> None:
        """Publish the path of a goal, starting now."""

    def send_velocity(self, goal: Goal) -> None:
        """Publish the velocity command of a goal."""


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    reason: str
    finished: bool
    """The scenario was played to its end."""
    interrupted: bool = False


@dataclass
class Progress:
    """Where the player is, for the live status."""

    phase: str = "waiting"
    goal: Goal | None = None
    goal_number: int = 0
    ee_error: float | None = None
    falls: int = 0


class Player:
    """Plays goals over a link.

    Args:
        link: the robot.
        goals: what to ask for, in order; may be endless if there is a duration.
        duration: s after which the playing ends; None plays all goals, or forever if there are none.
        observe: called after each slice of time.
    """

    def __init__(
        self,
        link: Link,
        goals: Iterable[Goal],
        duration: float | None,
        observe: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._link = link
        self._goals: Iterator[Goal] = iter(goals)
        self._duration = duration
        self._observe = observe
        self.progress = Progress()
        self._down = False
        self._goal_start = 0.0

    def run(self) -> Ending:
        """Play to the end. Never raises LinkError or Interrupted: they become endings."""
        try:
            ending = self._stand() or self._activate() or self._play()
            if ending.finished:
                self._sit()
            return ending
        except LinkError as error:
            return Ending(str(error), finished=False)
        except Interrupted:
            return Ending("interrupted", finished=False, interrupted=True)
        finally:
            self.progress.phase = "ended"

    def _slice(self, until: float | None = None) -> None:
        """Let one slice of time pass, or less if `until` comes first."""
        end = self._link.now + SLICE
        self._link.advance(end if until is None else min(end, until))
        self._observe(self.progress)

    def _wait_for(self, modes: tuple[str, ...], time: float) -> bool:
        deadline = self._link.now + time
        while self._link.mode not in modes and self._link.now < deadline - EPSILON:
            self._slice(deadline)
        return self._link.mode in modes

    def _stand(self) -> Ending | None:
        self.progress.phase = "standing up"
        self._slice()
        self._wait_for(("PASSIVE", "HOLD", "ACTIVE", "DAMPING"), 1.0)
        if self._link.mode in ("HOLD", "ACTIVE"):  # somebody has made it stand already
            return None
        accepted, message = self._link.request("stand")
        if not accepted:
            return Ending(f"standing up was refused: {message}", finished=False)
        if not self._wait_for(("HOLD",), STAND_TIME):
            state = f"{self._link.mode}: {self._link.reason}"
            return Ending(f"the robot did not stand up within {STAND_TIME:g} s ({state})", finished=False)
        return None

    def _activate(self) -> Ending | None:
        self.progress.phase = "activating"
        deadline = self._link.now + ACTIVATE_TIME
        message = "no answer"
        while self._link.mode != "ACTIVE":
            accepted, message = self._link.request("activate")
            if accepted:
                if self._wait_for(("ACTIVE",), 1.0):
                    return None
                message = f"the gate is in {self._link.mode}: {self._link.reason}"
            if self._link.now >= deadline:
                return Ending(f"activation was refused: {message}", finished=False)
            for _ in range(4):
                self._slice()
        return None

    def _play(self) -> Ending:
        recorder = self._link.recorder
        recorder.play_start = recorder.play_end = self._link.now
        end = None if self._duration is None else recorder.play_start + self._duration
        try:
            for goal in self._goals:
                self.progress.phase, self.progress.goal = "playing", goal
                self.progress.goal_number += 1
                fault = self._play_goal(goal, end)
                if fault:
                    return fault
                if self._over(end):
                    return Ending("duration reached", finished=True)
            if self.progress.goal_number and end is None:
                return Ending("scenario finished", finished=True)
            self.progress.phase, self.progress.goal = "idle", None
            while not self._over(end):
                fault = self._watched_slice(end, idle=True)
                if fault:
                    return fault
            return Ending("duration reached", finished=True)
        finally:
            recorder.play_end = self._link.now
            self.progress.goal = None

    def _over(self, end: float | None) -> bool:
        return end is not None and self._link.now >= end - EPSILON

    def _play_goal(self, goal: Goal, end: float | None) -> Ending | None:
        link = self._link
        start = self._goal_start = link.now
        stop = start + goal.hold if end is None else min(start + goal.hold, end)
        if goal.target is not None:
            link.send_target(goal)
        if goal.path:
            link.send_path(goal)
        next_velocity, near_since = start, None
        arrived = False
        try:
            while link.now < stop - EPSILON and not arrived:
                if goal.velocity is not None and link.now >= next_velocity - EPSILON:
                    link.send_velocity(goal)
                    next_velocity += VELOCITY_PERIOD
                fault = self._watched_slice(stop)
                if fault:
                    return fault
                if goal.until_arrival:
                    near_since = self._near_since(near_since)
                    arrived = near_since is not None and link.now - near_since >= ARRIVED_TIME
        finally:
            completed = arrived or link.now >= start + goal.hold - EPSILON
            link.recorder.goals.append(PlayedGoal(goal, start, link.now, completed))
            self.progress.ee_error = None
        return None

    def _near_since(self, since: float | None) -> float | None:
        error = self.progress.ee_error
        if error is None or error > ARRIVED_ERROR:
            return None
        return self._link.now if since is None else since

    def _watched_slice(self, until: float | None, idle: bool = False) -> Ending | None:
        """Let a slice pass; an ending if the gate has left ACTIVE.

        Args:
            until: end of the slice at the latest, s.
            idle: people may stop the robot and stand it up again.
        """
        before = self._link.mode
        self._slice(until)
        self._look()
        if self._link.mode == "ACTIVE":
            return None
        if idle and (before != "ACTIVE" or self._link.reason.startswith(ASKED_FOR)):
            return None
        reason = f"the gate left ACTIVE ({self._link.mode}: {self._link.reason})"
        deadline = self._link.now + FAULT_TIME
        with contextlib.suppress(Interrupted, LinkError):  # the reason above is the one to tell
            while self._link.now < deadline - EPSILON:
                self._slice(deadline)
        return Ending(reason, finished=False)

    def _look(self) -> None:
        """Update what the live status and the arrival rule need from the newest state."""
        recorder = self._link.recorder
        if not recorder.states or not recorder.bases:
            return
        base = recorder.bases[-1][1]
        down = bool(base[2] < FALL_HEIGHT or tilt_of(base[None, 3:7])[0] > FALL_TILT)
        self.progress.falls += int(down and not self._down)
        self._down = down
        goal = self.progress.goal
        if goal is not None and (goal.target is not None or goal.path):
            error = ee_error(
                goal, np.array([self._link.now - self._goal_start]), recorder.states[-1][1][None], base[None]
            )
            self.progress.ee_error = float(error[0])

    def _sit(self) -> None:
        self.progress.phase = "stopping"
        self._link.send_velocity(STOP_VELOCITY)
        targets = itertools.cycle(STOP_TARGETS)
        played = self._link.recorder.goals
        if not played or played[-1].goal.target is None or played[-1].goal.frame == ODOM_FRAME:
            self._link.send_target(next(targets))  # else the last one is held
        deadline = self._link.now + STOP_TIME
        while self._link.now < deadline - EPSILON:
            self._slice(deadline)
        self.progress.phase = "sitting down"
        deadline, again = self._link.now + SIT_TIME, self._link.now + TREADING_TIME
        while not self._link.request("sit")[0]:  # refused while a leg moves: the policy may be taking a step
            if self._link.now >= deadline:
                return
            if self._link.now >= again - EPSILON:
                self._link.send_target(next(targets))
                again += TREADING_TIME
            self._slice()
        self._wait_for(("PASSIVE",), SIT_TIME)
