"""An emulated arm on a bus of its own, and the driver that talks to it through piper_sdk."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from go2_piper_driver.arm_types import ArmState, ArmTargets
from go2_piper_driver.emulation.can.loopcan import channel_folder
from go2_piper_driver.emulation.piper.emulated_piper import EmulatedPiperConfig
from go2_piper_driver.emulation.piper.standalone import StandalonePiper
from go2_piper_driver.piper.arm import PiperArm, PiperOptions
from go2_piper_driver.piper.follower import Mode
from robot_bridge.plant import PlantError

PATIENCE = 30.0
"""s, for machines with other work."""


def until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait for a condition; fail after the patience."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


class Bench:
    """Emulated arm and driver together."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.emulated = StandalonePiper(EmulatedPiperConfig(channel))
        self.arm = self.driver()

    def driver(self, **options: object) -> PiperArm:
        """Return a driver for the emulated arm."""
        values = {"channel": self.channel, "interface": "loopcan", **options}
        return PiperArm(PiperOptions(**values))  # type: ignore[arg-type]

    @property
    def log(self) -> object:
        return self.emulated.arm.log

    @property
    def position(self) -> np.ndarray:
        """Where the emulated arm is, rad."""
        return self.emulated.dynamics.position.copy()

    def write(self, position: np.ndarray | float, kp: float = 80.0, gripper: float | None = None) -> None:
        zeros = np.zeros(6)
        self.arm.write(ArmTargets(zeros + position, zeros, zeros, zeros + kp, zeros + 2.0, gripper))

    def state(self) -> ArmState:
        """What the driver reads, once the link is there."""
        found: list[ArmState] = []

        def readable() -> bool:
            with contextlib.suppress(PlantError):
                state = self.arm.read()
                found.extend([state] if state is not None else [])
            return bool(found)

        until(readable)
        return found[-1]

    def write_until(
        self,
        condition: Callable[[], bool],
        position: np.ndarray | float,
        kp: float = 80.0,
        gripper: float | None = None,
    ) -> None:
        """Repeat targets until a condition is met."""

        def turn() -> bool:
            self.write(position, kp, gripper)
            return condition()

        until(turn)

    def follow_until(self, condition: Callable[[], bool], position: np.ndarray | float, **how: float) -> None:
        """As `write_until`; where a busy machine made the driver hold, it follows again."""

        def followed() -> bool:
            if self.arm.mode is not Mode.FOLLOWING:
                self.follow(position)
            return condition()

        self.write_until(followed, position, **how)

    def release(self) -> None:
        """Targets without gain until the driver would follow new ones."""
        self.write_until(lambda: self.arm.mode is not Mode.HOLDING and not self.arm.reason, 0.0, kp=0.0)
        for _ in range(5):
            self.write(0.0, kp=0.0)
            time.sleep(0.01)

    def follow(self, position: np.ndarray | float) -> None:
        """Bring the driver to follow, also where a busy machine made it hold before."""
        deadline = time.monotonic() + PATIENCE
        while self.arm.mode is not Mode.FOLLOWING:
            assert time.monotonic() < deadline, self.arm.reason
            self.release()
            attempt = time.monotonic() + 2.0
            while self.arm.mode is not Mode.FOLLOWING and time.monotonic() < attempt:
                self.write(position)
                time.sleep(0.005)


@pytest.fixture
def channel(request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"arm{os.getpid()}_{abs(hash(request.node.nodeid)) % 10**6}"
    yield name
    shutil.rmtree(channel_folder(name))


@pytest.fixture
def bench(channel: str) -> Iterator[Bench]:
    """The emulated arm runs, the driver is not started."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-4)  # arm and driver share this process
    made = Bench(channel)
    with made.emulated:
        yield made
        made.arm.stop()
    sys.setswitchinterval(interval)
    log = made.emulated.arm.log
    assert log.violations == [], "commands beyond limits reached the arm"
