"""The whole robot on hardware: Go2 and Piper as one plant, and that plant in a host of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, NUM_JOINTS
from robot_bridge.host.hosted_plant import HostedPlant
from robot_bridge.host.watchdog import Limits
from robot_bridge.plant import PlantError
from robot_bridge.types import JointTargets, RobotState

from .arm_types import ArmState, ArmTargets
from .estimation.leg_odometry import LegOdometry
from .go2.driver import Go2Driver, Go2Options
from .go2.remote import Remote
from .go2.state import Go2State
from .piper.arm import PiperArm, PiperOptions

ODOMETRY = ("legs", "none")
_CLAIM_TIME = 6.0
"""s to wait for a host that is just leaving the robot."""
_FIRST_ARM_STATE = 2.0
_STATE_PERIOD = 0.003
"""s between two states at least: every second one of the Go2's is passed on, more than the bridge's 200 Hz."""
_ARM_PERIOD = 0.004
"""s between two looks at the arm, whose states come every 5 ms."""


@dataclass(frozen=True)
class RealOptions:
    """Parameters `plant_options.*` of the bridge on hardware. Raises PlantError, in one line."""

    interface: str = ""
    """Network interface to the Go2; its address must be in 192.168.123.0/24."""
    domain: int = 0
    """DDS domain: 0 on the robot, 1 for emulated hardware."""
    sdk: str = "auto"
    """unitree: unitree_sdk2py; own: our messages on cyclonedds; auto: the first where it is installed."""
    stand_down: bool = True
    """Let the Go2's own controller lie down before its motors are taken over."""
    foreign_writers: int = 0
    """Writers of rt/lowcmd that belong to the robot itself and are silent once released."""
    can: str = "can0"
    """CAN channel of the arm."""
    can_interface: str = "socketcan"
    """python-can backend; loopcan for emulated hardware."""
    arm_speed: int = 100
    """Percent of the arm's velocity limits."""
    arm_mit: bool = False
    """Gains and torques for the arm instead of its own position control; only for known firmware."""
    silence: float = Limits().silence
    """s without targets from the bridge until the plant host damps: twenty of its periods."""
    state_age: float = Limits().state
    """s without a state of the Go2 until the plant host damps: 40 of its periods; DIAL-MPC 0.1 s."""
    odometry: str = "legs"
    """legs: /odom from legs and IMU; none: nobody knows where the base is."""

    def __post_init__(self) -> None:
        if self.odometry not in ODOMETRY:
            raise PlantError(
                f'plant_options.odometry "{self.odometry}" is unknown: choose one of {", ".join(ODOMETRY)}'
            )
        for name in ("silence", "state_age"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise PlantError(f"plant_options.{name} is {getattr(self, name)}: it must be above 0 and at most 1 s")
        if not 1 <= self.arm_speed <= 100:
            raise PlantError(f"plant_options.arm_speed is {self.arm_speed}: it must be 1 to 100 percent")


class Go2PiperPlant:
    """A `Plant`. Legs and arm are two devices: losing the arm makes the dog sit down, losing the dog damps it."""

    Options = RealOptions

    def __init__(self, options: RealOptions | None = None) -> None:
        self.options = options or RealOptions()
        given = self.options
        self._go2 = Go2Driver(
            Go2Options(given.domain, given.interface, given.sdk, given.stand_down, given.foreign_writers,
                       state_period=_STATE_PERIOD)
        )  # fmt: skip
        self._arm = PiperArm(PiperOptions(given.can, given.can_interface, speed_percent=given.arm_speed,
                                          mit=given.arm_mit))  # fmt: skip
        self._odometry = LegOdometry() if given.odometry == "legs" else None
        self._targets: JointTargets | None = None
        """In force; None while damping."""
        self._arm_written = self._arm_read = 0.0
        self._remote = Remote()
        self._claim: IO[str] | None = None
        self._arm_started = False
        self._arm_state: ArmState | None = None
        self._arm_fault = ""
        self._state: RobotState | None = None

    # -- plant interface -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect to dog and arm and take the dog's motors over; nothing is moved. Raises PlantError."""
        self._claim = _claim(f"{self.options.domain}_{self.options.interface}")
        self._arm.start()
        self._arm_started = True
        deadline = time.monotonic() + _FIRST_ARM_STATE
        while (arm := self._arm.read()) is None:
            if time.monotonic() > deadline:
                raise PlantError("arm: no complete state of its joints")
            time.sleep(0.005)
        self._arm_state = arm
        self._go2.connect()
        self._go2.take_over()

    def read(self) -> RobotState | None:
        """Return the newest state. Raises PlantError where the Go2's motors belong to somebody else."""
        self._read_arm()
        go2 = self._go2.read()
        faults = self._go2.faults()
        if go2 is None:
            return None
        self._remote.step(go2.remote)
        if self._remote.stops:
            faults += ("stopped by the remote control",)
        if self._state is None or go2.stamp != self._state.stamp:
            self._state = self._merge(go2, faults)
        elif faults != self._state.faults:
            self._state = replace(self._state, faults=faults, request=self._remote.request)
        return self._state

    def write(self, targets: JointTargets) -> None:
        """Command dog and arm, inside every limit. The same object means the same command."""
        now = time.monotonic()
        if targets is self._targets:
            self._go2.repeat()
            if now - self._arm_written < _ARM_PERIOD:
                return  # the arm's driver repeats them by itself
        else:
            row = LEG_SLICE
            self._go2.write(targets.position[row], targets.velocity[row], targets.effort[row], targets.kp[row],
                            targets.kd[row])  # fmt: skip
        self._targets, self._arm_written = targets, now
        row = ARM_SLICE
        self._write_arm(ArmTargets(targets.position[row], targets.velocity[row], targets.effort[row], targets.kp[row],
                                   targets.kd[row], targets.gripper_position))  # fmt: skip

    def damp(self) -> None:
        """Damp the legs; the arm holds where it is."""
        self._go2.damp()
        self._targets = None
        zeros = np.zeros(6)
        self._write_arm(ArmTargets(zeros, zeros, zeros, zeros, zeros))

    def stop(self) -> None:
        """Damp the legs until they are calm, leave the arm holding, and release both."""
        try:
            self._go2.close()
        finally:
            if self._arm_started:
                self._arm_started = False
                self._arm.stop()
            if self._claim is not None:
                self._claim.close()
                self._claim = None

    def rescue(self) -> None:
        """Damp a robot whose host has died; its arm holds by itself."""
        options = replace(self._go2.options, writer_time=0.0, foreign_writers=99)
        self._claim = _claim(f"{self.options.domain}_{self.options.interface}")
        self._go2 = Go2Driver(options)
        self._go2.connect()
        self._go2.take_over()
        self.stop()

    def diagnostics(self) -> dict[str, str]:
        """Return counters and readings of dog and arm."""
        values = self._go2.diagnostics()
        values.update({f"arm_{name.replace(' ', '_')}": value for name, value in self._arm.diagnostics().items()})
        if self._arm_state is not None:
            values["arm_hottest_motor_c"] = f"{self._arm_state.motor_temperature.max():.0f}"
            values["arm_warnings"] = "; ".join(self._arm_state.warnings) or "none"
        return values

    # -- inside --------------------------------------------------------------------------------------------------------

    def _read_arm(self) -> None:
        now = time.monotonic()
        if now - self._arm_read < _ARM_PERIOD and not self._arm_fault:
            return
        self._arm_read = now
        try:
            self._arm_state = self._arm.read() or self._arm_state
            self._arm_fault = ""
        except PlantError as error:  # the last state stays; the arm holds by itself
            self._arm_fault = str(error)

    def _write_arm(self, targets: ArmTargets) -> None:
        try:
            self._arm.write(targets)
        except PlantError as error:
            self._arm_fault = str(error)

    def _merge(self, go2: Go2State, faults: tuple[str, ...]) -> RobotState:
        arm = self._arm_state
        assert arm is not None  # `start` waited for it
        wear = self._go2.watch.wear(go2) + arm.faults
        if self._arm_fault:
            wear += (self._arm_fault,)
        base = None
        if self._odometry is not None:
            base = self._odometry.step(go2.stamp, go2.position, go2.velocity, go2.orientation, go2.angular_velocity,
                                       go2.linear_acceleration, go2.foot_force)  # fmt: skip
        temperature = np.empty(NUM_JOINTS)
        temperature[LEG_SLICE], temperature[ARM_SLICE] = go2.temperature, arm.motor_temperature
        return RobotState(
            stamp=go2.stamp,
            position=np.concatenate([go2.position, arm.position]),
            velocity=np.concatenate([go2.velocity, arm.velocity]),
            effort=np.concatenate([go2.effort, arm.effort]),
            orientation=go2.orientation,
            angular_velocity=go2.angular_velocity,
            linear_acceleration=go2.linear_acceleration,
            gripper_position=arm.gripper_position,
            gripper_effort=arm.gripper_effort,
            base=base,
            motor_temperature=temperature,
            battery_charge=go2.charge,
            faults=faults,
            wear=wear,
            request=self._remote.request,
        )


class HostedGo2PiperPlant(HostedPlant):
    """The same in a plant host, which is how the bridge uses it."""

    Options = RealOptions
    entry = "go2_piper_driver.real_plant:Go2PiperPlant"

    def __init__(self, options: RealOptions | None = None) -> None:
        super().__init__(options or RealOptions())
        self.limits = Limits(self.options.silence, self.options.state_age)


def _claim(robot: str) -> IO[str]:
    """Claim a robot for this process. Raises PlantError where another has it."""
    name = "".join(letter if letter.isalnum() else "_" for letter in robot)
    path = Path(tempfile.gettempdir()) / f"go2_piper_robot_{name}.lock"
    try:
        file = path.open("a")
    except OSError as error:
        raise PlantError(f"cannot open the lock file {path} ({error.strerror}): remove it") from error
    with contextlib.suppress(OSError):
        os.chmod(path, 0o666)
    deadline = time.monotonic() + _CLAIM_TIME
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError:
            if time.monotonic() > deadline:
                file.close()
                raise PlantError("another program of this project drives this robot from here: stop it first") from None
            time.sleep(0.1)
