"""The interface of everything that behaves like the robot: simulators, hardware, emulated hardware."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .types import JointTargets, RobotState


class PlantError(RuntimeError):
    """The plant cannot start or go on; the message says what, where and what to do, in one line."""


class Plant(Protocol):
    """A robot. Between `start` and `stop`, `read` and `write` may be called at any rate from one thread."""

    def start(self) -> None:
        """Connect and begin to measure; no motion. Raises PlantError."""

    def stop(self) -> None:
        """Leave the robot in a safe posture and release it. May be called twice."""

    def read(self) -> RobotState | None:
        """Return the newest state; None before the first. Raises PlantError when the link is lost."""

    def write(self, targets: JointTargets) -> None:
        """Hand over new targets; the plant keeps executing them until the next ones. Raises PlantError."""


@runtime_checkable
class SteppedPlant(Plant, Protocol):
    """A plant whose time passes only when it is told to: a simulator."""

    @property
    def time(self) -> float:
        """Simulation time, s."""

    @property
    def step_period(self) -> float:
        """Simulation time that one `step` takes, s."""

    def step(self) -> None:
        """Let `step_period` pass under the last targets."""


@runtime_checkable
class PushedPlant(Protocol):
    """A simulator whose robot people may push."""

    def push(self) -> str:
        """Kick the robot now; return what was done, in words."""
