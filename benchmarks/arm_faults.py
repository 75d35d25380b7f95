"""Fault campaign of the arm: driver through piper_sdk against the emulated Piper in a process of its own.

Every fault in every state of the driver, with seeds. Safe means: the driver no longer follows targets and says why,
the arm's target stands still (or its motors are passive because of the fault itself), nothing goes on by itself once
the fault is over, no command beyond a limit has reached the arm, and no command has cut its power. While the arm waits,
safe means that nothing but questions is sent.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from go2_piper_driver.arm_types import ArmTargets
from go2_piper_driver.emulation.can.loopcan import channel_folder
from go2_piper_driver.emulation.piper.emulated_piper import EmulatedPiper, EmulatedPiperConfig
from go2_piper_driver.emulation.piper.standalone import TableDynamics
from go2_piper_driver.piper import frames
from go2_piper_driver.piper.arm import PiperArm, PiperOptions
from go2_piper_driver.piper.follower import Mode
from robot_bridge.plant import PlantError

REPEATS = 20
STATES = ("waiting", "starting", "following", "holding")
"""Of the driver: as the gate's PASSIVE, STANDING_UP, ACTIVE (and HOLD), DAMPING (and ESTOP)."""
CENTRE = np.array([0.0, 0.8, -0.8, 0.0, 0.0, 0.0])
PERIOD = 0.005
PATIENCE = 10.0
"""s until an end state that does not come counts as missed."""
_STEP = 0.002
_WATCH = 0.1
"""s that a safe state is watched, and again after the fault is over."""
_MOTION = (frames.MOTOR_ENABLE, frames.MOTION_1, frames.MOTION_2, *frames.JOINT_COMMAND, *frames.MIT_COMMAND)
_FAULTY_BITS = [bit for bit, text in enumerate(frames.MOTOR_FAULT_BITS) if text]

Draw = Callable[[random.Random], Any]
Case = Callable[["Rig", int, "Row"], None]


@dataclass(frozen=True)
class Fault:
    """One fault: its name at the emulated arm, the value for a seed, and what it does to the arm by itself."""

    name: str
    draw: Draw
    passive: bool = False
    """The fault itself takes the motors out of control: where the arm goes is not the driver's."""
    lived_through: bool = False
    """The driver may go on; the checks on what reached the arm hold all the same."""
    powered_only: bool = False
    """Nothing to report while the driver waits."""


FAULTS: dict[str, Fault] = {
    "emergency stop pressed": Fault("estop", lambda _: True, passive=True),
    "teach button pressed": Fault("teaching", lambda _: True, passive=True),
    "arm status not normal": Fault("arm_status", lambda rng: rng.choice([2, 3, 5, 6, 7, 9, 10, 14, 15])),
    "joint communication lost": Fault("errors", lambda rng: 1 << rng.randrange(6)),
    "motor error bit": Fault("motor_bits", lambda rng: {rng.randint(1, 6): 1 << rng.choice(_FAULTY_BITS)}),
    "motor too hot": Fault("motor_temperature", lambda rng: rng.uniform(81.0, 120.0)),
    "supply too low": Fault("bus_voltage", lambda rng: rng.uniform(1.0, 19.9)),
    "motor loses power": Fault("disabled", lambda rng: [rng.randint(1, 6)], passive=True, powered_only=True),
    "all motors lose power": Fault("unpowered", lambda _: True, passive=True),
    "slow frames lost": Fault("slow_lost", lambda _: True),
    "all frames late by up to 0.5 s": Fault("late", lambda _: 0.5),
    "cable out": Fault("silent", lambda _: True),
    "CAN device down": Fault("bus_down", lambda _: True),
    "another program commands": Fault("rival", lambda _: True),
    "frames torn": Fault("torn", lambda rng: rng.uniform(0.2, 1.0), lived_through=True),
    "frames lost": Fault("lost", lambda rng: rng.uniform(0.05, 0.6), lived_through=True),
    "frames doubled": Fault("duplicated", lambda rng: rng.uniform(0.2, 1.0), lived_through=True),
    "frames late by up to 60 ms": Fault("late", lambda rng: rng.uniform(0.01, 0.06), lived_through=True),
    "garbage frames": Fault("garbage", lambda rng: rng.uniform(0.2, 1.0), lived_through=True),
    "gripper not homed": Fault("gripper_not_homed", lambda _: True, lived_through=True),
}


@dataclass
class Row:
    """What one fault did over all its runs."""

    runs: int = 0
    safe: int = 0
    times: list[float] = field(default_factory=list)
    """s from the fault to the safe state, where the arm followed."""
    reports: list[float] = field(default_factory=list)
    """s from the fault to the first report, where the arm was waiting."""
    held: int = 0
    """Runs that ended in holding."""
    misses: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.safe}/{self.runs} safe, {_times(self.times)}" + (
            f", waiting: {_times(self.reports)}" if self.reports else ""
        )


def _times(values: list[float]) -> str:
    if not values:
        return "no time taken"
    p50, p99 = np.percentile(values, [50, 99])
    return f"{1000 * p50:.0f} / {1000 * p99:.0f} / {1000 * max(values):.0f} ms"


# --- the arm's process ------------------------------------------------------------------------------------------------


def _serve(link: Connection, channel: str) -> None:
    """Run the emulated arm and answer ("fault", name, value), ("clear",), ("cycle",) and ("look",) until ("end",)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arm, dynamics = EmulatedPiper(EmulatedPiperConfig(channel)), TableDynamics()
    last, changed, deadline = arm.target, 0.0, time.monotonic()
    while True:
        now = time.monotonic()
        dynamics.step(arm.step(now, dynamics.motion()), _STEP)
        if np.abs(arm.target - last).max() > 1e-6:
            last, changed = arm.target, now
        if link.poll():
            what, *values = link.recv()
            if what == "end":
                break
            if what == "fault":
                arm.faults.set(*values)
            elif what == "clear":
                arm.faults.clear()
            elif what == "cycle":
                arm.power_cycle()
            log = arm.log
            link.send((now, {
                "changed": changed, "enabled": arm.enabled, "violations": log.num_violations,
                "lines": list(log.violations), "power_cuts": len(log.power_cuts),
                "motion": sum(log.counts[can_id] for can_id in _MOTION),
            }))  # fmt: skip
        deadline = max(deadline + _STEP, now - 10 * _STEP)
        time.sleep(max(0.0, deadline - time.monotonic()))
    arm.close()


class Rig:
    """Driver here, arm there, and a controller that never stops wishing for motion."""

    def __init__(self, channel: str) -> None:
        fork = multiprocessing.get_context("fork")
        self.channel = channel
        self._link, there = fork.Pipe()
        self._process = fork.Process(target=_serve, args=(there, channel), daemon=True)
        self._process.start()
        self.ask("look")
        self.arm = PiperArm(PiperOptions(channel=channel, interface="loopcan"))
        self.phase = 0.0

    def ask(self, *request: Any) -> tuple[float, dict[str, Any]]:
        """Ask the arm's process; returns its time and what it saw."""
        self._link.send(request)
        answer: tuple[float, dict[str, Any]] = self._link.recv()
        return answer

    def close(self) -> None:
        """End both."""
        self.arm.stop()
        self._link.send(("end",))
        self._process.join(10.0)
        if self._process.is_alive():
            self._process.kill()
        shutil.rmtree(channel_folder(self.channel), ignore_errors=True)

    def wish(self, kp: float = 80.0) -> None:
        """Hand over the next targets of a motion of about 1 rad/s."""
        now = time.monotonic()
        zeros = np.zeros(6)
        wave = 0.4 * np.sin(2.0 * now + self.phase + np.arange(6))
        with contextlib.suppress(PlantError):
            self.arm.write(ArmTargets(CENTRE + wave, zeros, zeros, zeros + kp, zeros + 2.0, 0.01))

    def trouble(self) -> bool:
        """Whether the driver reports anything."""
        try:
            state = self.arm.read()
        except PlantError:
            return True
        return state is None or bool(state.faults)

    def keep(self, seconds: float, kp: float = 80.0) -> None:
        """Go on wishing."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.wish(kp)
            time.sleep(PERIOD)

    def wait(self, condition: Callable[[], bool], kp: float = 80.0, patience: float = PATIENCE) -> bool:
        """Go on wishing until a condition comes true."""
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() > end:
                return False
            self.wish(kp)
            time.sleep(PERIOD)
        return True

    # --- bringing the driver into a state ---

    def bring(self, state: str, rng: random.Random) -> bool:
        """Bring the driver into a state of `STATES`; returns whether it came there, which a busy machine prevents."""
        self.phase = rng.uniform(0.0, 6.28)
        mode = {"waiting": Mode.WAITING, "holding": Mode.HOLDING}.get(state, Mode.FOLLOWING)
        if not self.wait(lambda: not self.trouble() and self.arm.mode is not Mode.HOLDING, kp=0.0):
            return False
        if state == "waiting":  # a fault and its end lead there also with power
            self.ask("fault", "arm_status", 7)
            self.wait(self.trouble, kp=0.0)
            self.ask("clear")
            self.wait(lambda: not self.trouble() and self.arm.mode is Mode.WAITING, kp=0.0)
            self.keep(rng.uniform(0.02, 0.1), kp=0.0)
            return self.arm.mode is mode
        self.keep(0.03, kp=0.0)
        if not self.wait(lambda: self.arm.mode is Mode.FOLLOWING):
            return False
        self.keep(rng.uniform(0.0, 0.2) if state == "starting" else rng.uniform(0.2, 0.4))
        if state == "holding":
            self.ask("fault", "arm_status", 7)
            self.wait(lambda: self.arm.mode is Mode.HOLDING)
            self.ask("clear")
            self.keep(0.05)
        return self.arm.mode is mode


# --- runs -------------------------------------------------------------------------------------------------------------


def _powered(rig: Rig, fault: Fault, value: Any, row: Row) -> str | None:
    """Set a fault on an arm that follows or holds. Returns what was not safe, or None."""
    held_before = rig.arm.mode is Mode.HOLDING
    started, _ = rig.ask("fault", fault.name, value)
    if fault.lived_through:
        rig.keep(0.3)
        row.held += rig.arm.mode is not Mode.FOLLOWING
        rig.ask("clear")
        return None
    if not rig.wait(lambda: rig.trouble() and rig.arm.mode is not Mode.FOLLOWING):
        return "not reported"
    reported = time.monotonic()
    rig.keep(_WATCH)
    _, seen = rig.ask("look")
    still = seen["changed"]
    if not fault.passive:
        rig.keep(_WATCH)
        _, seen = rig.ask("look")
        if seen["changed"] != still:
            return "the target did not stand still"
    if not held_before:
        row.times.append(max(reported, 0.0 if fault.passive else still) - started)
    _, seen = rig.ask("clear")
    rig.keep(_WATCH)
    row.held += rig.arm.mode is Mode.HOLDING
    return "it went on by itself" if rig.arm.mode is Mode.FOLLOWING else None


def _waiting(rig: Rig, fault: Fault, value: Any, row: Row) -> str | None:
    """Set a fault on an arm that waits. Returns what was not safe, or None."""
    started, before = rig.ask("fault", fault.name, value)
    if fault.lived_through or fault.powered_only:
        rig.keep(_WATCH, kp=0.0)
    elif rig.wait(rig.trouble, kp=0.0):
        row.reports.append(time.monotonic() - started)
        rig.keep(_WATCH)  # a controller that wishes for motion gets none
    else:
        return "not reported"
    _, seen = rig.ask("clear")
    return "a command was sent" if seen["motion"] != before["motion"] else None


def _one(rig: Rig, fault: Fault, state: str, seed: int, row: Row) -> None:
    """One run; a machine that is too busy to bring the driver into the state gets three tries."""
    rng = random.Random(seed)
    if not any(rig.bring(state, rng) for _ in range(3)):
        row.misses.append(f"{state}, seed {seed}: not reached ({rig.arm.reason})")
        return
    _, before = rig.ask("look")
    value = fault.draw(rng)
    miss = (_waiting if state == "waiting" else _powered)(rig, fault, value, row)
    rig.ask("clear")
    if fault.passive:
        rig.ask("cycle")
    _, after = rig.ask("look")
    if after["violations"] != before["violations"]:
        miss = f"beyond a limit: {after['lines'][-1]}"
    if after["power_cuts"] != before["power_cuts"]:
        miss = "power was cut"
    row.runs += 1
    row.safe += miss is None
    if miss is not None:
        row.misses.append(f"{state}, seed {seed}, {fault.name}={value}: {miss}")


def _silence(rig: Rig, seed: int, row: Row) -> None:
    """The controller falls silent while the arm follows: it holds where it is, with power."""
    if not any(rig.bring("following", random.Random(seed)) for _ in range(3)):
        row.misses.append(f"seed {seed}: not reached")
        return
    rig.wish()
    started = time.monotonic()
    time.sleep(0.4)
    _, seen = rig.ask("look")
    time.sleep(_WATCH)
    _, later = rig.ask("look")
    row.runs += 1
    row.times.append(later["changed"] - started)
    row.safe += seen["changed"] == later["changed"] and later["enabled"]


def _refused(rig: Rig, name: str, value: Any, row: Row) -> None:
    """A start that must fail: in one line, without motion."""
    rig.arm.stop()
    started, before = rig.ask("fault", name, value)
    try:
        rig.arm.start()
        miss = True
    except PlantError as error:
        miss = "\n" in str(error)
    row.times.append(time.monotonic() - started)
    _, after = rig.ask("clear")
    row.runs += 1
    row.safe += not miss and after["motion"] == before["motion"]
    time.sleep(0.02)


def _killed(rig: Rig, seed: int, row: Row) -> None:
    """The driver's process is killed while the arm follows."""
    rig.arm.stop()
    fork = multiprocessing.get_context("fork")

    def drive() -> None:
        rig.arm.start()
        rig.bring("following", random.Random(seed))
        rig.keep(60.0)

    process = fork.Process(target=drive, daemon=True)
    process.start()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        now, seen = rig.ask("look")
        if seen["enabled"] and now - seen["changed"] < 0.05:
            break
        time.sleep(0.05)
    time.sleep(random.Random(seed).uniform(0.3, 0.6))
    assert process.pid is not None
    started = time.monotonic()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    time.sleep(_WATCH)
    _, seen = rig.ask("look")
    time.sleep(_WATCH)
    _, later = rig.ask("look")
    row.runs += 1
    row.times.append(max(0.0, later["changed"] - started))
    row.safe += seen["changed"] == later["changed"] and later["enabled"]


def _every_state(fault: Fault) -> Case:
    def case(rig: Rig, repeats: int, row: Row) -> None:
        for state in STATES:
            for seed in range(repeats):
                _one(rig, fault, state, seed, row)

    return case


def _each_seed(run_one: Callable[[Rig, int, Row], None]) -> Case:
    def case(rig: Rig, repeats: int, row: Row) -> None:
        for seed in range(repeats):
            run_one(rig, seed, row)

    return case


def _refusal(name: str, *values: Any) -> Case:
    return _each_seed(lambda rig, seed, row: _refused(rig, name, values[seed % len(values)], row))


CASES: dict[str, Case] = {
    **{name: _every_state(fault) for name, fault in FAULTS.items()},
    "controller silent": _each_seed(_silence),
    "start: firmware unknown": _refusal("firmware", "S-V9.9-9", "S-V1.4-2", "none", ""),
    "start: arm not powered": _refusal("unpowered", True),
    "start: cable out": _refusal("silent", True),
    "driver killed (SIGKILL)": _each_seed(_killed),
}


def campaign(repeats: int = REPEATS, names: Sequence[str] = tuple(CASES)) -> Iterator[tuple[str, Row]]:
    """Run the named cases and yield one row for each."""
    rig = Rig(f"campaign{os.getpid()}")
    try:
        for name in names:
            with contextlib.suppress(PlantError):  # it runs already, unless the case before stopped it
                rig.arm.start()
            row = Row()
            CASES[name](rig, repeats, row)
            yield name, row
    finally:
        rig.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print its report; 0 if every run ends safe.

    Args:
        arguments: of the command line, None for those of this process.
    """
    parser = argparse.ArgumentParser(prog="benchmarks.arm_faults", description="Fault campaign of the arm's driver.")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="seeds per fault and state")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    given = parser.parse_args(arguments)
    print(f"{given.repeats} times in each of {', '.join(STATES)}; time to the safe state: p50 / p99 / max")
    total = safe = 0
    for name, row in campaign(given.repeats, given.cases):
        total, safe = total + row.runs, safe + row.safe
        print(f"  {name:32} {row}", *(f"    missed: {text}" for text in row.misses), sep="\n", flush=True)
    print(f"  {safe} of {total} runs ended safe")
    return 0 if safe == total else 1


if __name__ == "__main__":
    sys.exit(main())
