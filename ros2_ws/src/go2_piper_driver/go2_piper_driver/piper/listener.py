"""Hears every frame of the bus: own counters and stamps for each id, and the arm's state out of them.

piper_sdk's getters hand out live objects that mix three frames, keep old values for ever and cannot tell a dead bus
from a still arm; its `isOk` needs 0.4 s. Frames are kept raw as they come and decoded when somebody asks.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from go2_piper_description.joints import ARM_JOINT_NAMES

from ..arm_types import ArmState
from . import frames
from .assembler import Assembler, JointFrames
from .firmware import find_firmware
from .wire import CURRENT_TO_TORQUE, GRIPPER_NEWTON_PER_NM, mdeg_to_rad, um_to_travel

SLOW_TIMEOUT = 0.3
"""s without a motor's slow frame, of which twelve should have come."""
STATUS_TIMEOUT = 0.1
"""s without a status or gripper frame."""
STATE_WARNING = 0.025
"""s of age of the joint frames that are worth a warning: five cycles."""
MAX_MOTOR_TEMPERATURE = 80.0
"""degrees C. Chosen: hold and stop above it."""
WARM_MOTOR_TEMPERATURE = 65.0
MIN_BUS_VOLTAGE = 20.0
"""V. Chosen; the arm runs on 24 V."""
RIVAL_MEMORY = 1.0
"""s after the last command of another host until it counts as gone."""
_FIRMWARE_QUIET = 0.05
"""s of silence that end the answer to a firmware query."""
_MAX_ANSWER = 256
_CACHE = 0.004
"""s for which a state of the same joint frames is not made again: less than a cycle."""
_FAULT_STATUS = frozenset(range(1, len(frames.ARM_STATUS))) - {4}
_WARNING_STATUS = {4}
"""A target beyond a limit is refused by the arm, which stays where it is."""


class Listener:
    """`feed` is called by the thread that reads the bus, everything else by any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.effort_scale: tuple[float, ...] = (1.0,) * frames.NUM_MOTORS
        """Factor on the torque that follows from the currents, joints 1 to 6; depends on the firmware."""
        self._clock = clock
        self._lock = threading.Lock()
        self._assembler = Assembler()
        self._frames: dict[int, tuple[float, bytes]] = {}
        self._joints: JointFrames | None = None
        self._limits: dict[int, frames.MotorLimits] = {}
        self._answer, self._answer_at = b"", 0.0
        self._cached: tuple[float, ArmState] | None = None
        self.counts: Counter[int] = Counter()
        """Frames by id since the start."""
        self.short = 0
        """Frames too short for their id."""
        self._rival: tuple[int, float] | None = None

    @property
    def rival(self) -> int | None:
        """Id of the last command frame that another host has sent within `RIVAL_MEMORY`."""
        found = self._rival
        return found[0] if found is not None and self._clock() - found[1] < RIVAL_MEMORY else None

    @property
    def rejected(self) -> int:
        """Cycles of joint frames that did not belong together."""
        return self._assembler.rejected

    def feed(self, can_id: int, data: bytes) -> None:
        """Take one frame as it arrives."""
        now = self._clock()
        self.counts[can_id] += 1
        if can_id in frames.COMMAND_IDS:
            self._rival = (can_id, now)
        elif can_id == frames.FIRMWARE:
            with self._lock:
                self._answer, self._answer_at = (self._answer + data)[-_MAX_ANSWER:], now
        elif len(data) < frames.DLC:
            self.short += 1
        elif can_id in frames.JOINTS:
            whole = self._assembler.feed(frames.JOINTS.index(can_id), frames.unpack_pair(data), now)
            if whole is not None:
                self._joints = whole
        elif can_id == frames.LIMITS_REPLY:
            limits = frames.unpack_limits(data)
            if 1 <= limits.motor <= frames.NUM_MOTORS:
                self._limits[limits.motor] = limits
        else:
            self._frames[can_id] = (now, data)

    def forget(self) -> None:
        """Begin anew, as after a new connection; the counters go on."""
        with self._lock:
            self._answer = b""
        self._frames, self._joints, self._limits, self._rival, self._cached = {}, None, {}, None, None
        self._assembler = Assembler()

    # --- answers to queries -----------------------------------------------------------------------------------------

    def forget_firmware(self) -> None:
        """Drop the answer so far, before a new query."""
        with self._lock:
            self._answer = b""

    def firmware(self) -> str | None:
        """Return the version text of a complete answer, or None."""
        with self._lock:
            if not self._answer or self._clock() - self._answer_at < _FIRMWARE_QUIET:
                return None
            return find_firmware(self._answer)

    @property
    def limits(self) -> dict[int, frames.MotorLimits]:
        """Limits by motor 1 to 6, as far as the arm has told them."""
        return dict(self._limits)

    # --- state ------------------------------------------------------------------------------------------------------

    def heard(self) -> bool:
        """Whether any frame of an arm has come since `forget`."""
        return bool(self._frames) or self._joints is not None

    def complete(self) -> bool:
        """Whether every frame of which a state is made has come."""
        return self._joints is not None and all(
            can_id in self._frames
            for can_id in (frames.STATUS, frames.GRIPPER, *frames.MOTOR_FAST, *frames.MOTOR_SLOW)
        )  # fmt: skip

    def state_stamp(self) -> float | None:
        """Return when the oldest of the joint and motor frames of the newest state came, s, or None."""
        if self._joints is None:
            return None
        fast = [self._frames[can_id][0] for can_id in frames.MOTOR_FAST if can_id in self._frames]
        return min(self._joints.stamp, *fast) if len(fast) == frames.NUM_MOTORS else None

    def ctrl_mode(self) -> int | None:
        """Return who controls the arm (`frames.CAN_CONTROL` is this side), or None."""
        found = self._frames.get(frames.STATUS)
        return frames.unpack_status(found[1]).ctrl_mode if found else None

    def enabled(self) -> tuple[bool, ...]:
        """Return which of the six motors have power, as far as is known."""
        found = (self._frames.get(can_id) for can_id in frames.MOTOR_SLOW)
        return tuple(bool(f and frames.unpack_motor_slow(f[1]).status & frames.MOTOR_ENABLED) for f in found)

    def unpowered(self) -> bool:
        """Whether the controller answers but no motor has a supply."""
        found = [self._frames.get(can_id) for can_id in frames.MOTOR_SLOW]
        return all(f is not None and frames.unpack_motor_slow(f[1]).bus_dv == 0 for f in found)

    def state(self) -> ArmState | None:
        """Return the newest state, None before the first complete one. Its age is as of a few ms ago."""
        stamp, joints, now = self.state_stamp(), self._joints, self._clock()
        if stamp is None or joints is None or not self.complete():
            return None
        cached = self._cached
        if cached is not None and cached[1].stamp == stamp and now - cached[0] < _CACHE:
            return cached[1]
        fast = [frames.unpack_motor_fast(self._frames[can_id][1]) for can_id in frames.MOTOR_FAST]
        slow = [frames.unpack_motor_slow(self._frames[can_id][1]) for can_id in frames.MOTOR_SLOW]
        gripper = frames.unpack_gripper(self._frames[frames.GRIPPER][1])
        torque = [
            f.current_ma * 1e-3 * c * s for f, c, s in zip(fast, CURRENT_TO_TORQUE, self.effort_scale, strict=True)
        ]
        faults, warnings = self._troubles(now, now - stamp, slow, gripper)
        state = ArmState(
            stamp=stamp,
            position=np.array([mdeg_to_rad(value) for value in joints.mdeg]),
            velocity=np.array([f.speed_mrad_s * 1e-3 for f in fast]),
            effort=np.array(torque),
            gripper_position=um_to_travel(gripper.stroke_um),
            gripper_effort=gripper.effort_mnm * 1e-3 * GRIPPER_NEWTON_PER_NM,
            motor_temperature=np.array([float(s.motor_c) for s in slow]),
            enabled=all(s.status & frames.MOTOR_ENABLED for s in slow),
            faults=tuple(faults),
            warnings=tuple(warnings),
        )
        self._cached = (now, state)
        return state

    def _troubles(
        self, now: float, age: float, slow: list[frames.MotorSlow], gripper: frames.GripperFeedback
    ) -> tuple[list[str], list[str]]:
        """Return what is wrong and what is odd."""
        status = frames.unpack_status(self._frames[frames.STATUS][1])
        faults, warnings = _status_troubles(status)
        for name, motor in zip(ARM_JOINT_NAMES, slow, strict=True):
            bits = [text for bit, text in enumerate(frames.MOTOR_FAULT_BITS) if text and motor.status & 1 << bit]
            faults += [f"{name}: {text}" for text in bits]
            hot = max(motor.motor_c, motor.driver_c)
            if hot > MAX_MOTOR_TEMPERATURE:
                faults.append(f"{name}: {hot} C, above {MAX_MOTOR_TEMPERATURE:.0f}")
            elif hot > WARM_MOTOR_TEMPERATURE:
                warnings.append(f"{name}: {hot} C")
        voltage = min(motor.bus_dv for motor in slow) / 10.0
        if voltage < MIN_BUS_VOLTAGE:
            faults.append(f"arm supply {voltage:.1f} V, below {MIN_BUS_VOLTAGE:.0f}")
        oldest = now - min(self._frames[can_id][0] for can_id in frames.MOTOR_SLOW)
        if oldest > SLOW_TIMEOUT:
            faults.append("arm: no temperatures and enabled bits any more (frames 0x261 to 0x266)")
        if now - self._frames[frames.STATUS][0] > STATUS_TIMEOUT:
            faults.append("arm: no status any more (frame 0x2a1)")
        if (rival := self.rival) is not None:
            faults.append(f"another program commands the arm (frame {rival:#x}); stop it")
        # the gripper is no part of standing and walking: it only warns
        if now - self._frames[frames.GRIPPER][0] > STATUS_TIMEOUT:
            warnings.append("gripper: no feedback any more (frame 0x2a8)")
        warnings += [f"gripper: {t}" for bit, t in enumerate(frames.GRIPPER_FAULT_BITS) if gripper.status & 1 << bit]
        if not gripper.status & frames.GRIPPER_HOMED:
            warnings.append("gripper: not homed, it is not moved; set its zero with AgileX's tools")
        if age > STATE_WARNING:
            warnings.append(f"arm: joint frames are {1000 * age:.0f} ms old")
        return faults, warnings

    def gripper_homed(self) -> bool:
        """Whether the gripper knows where it is and reports no fault."""
        found = self._frames.get(frames.GRIPPER)
        if found is None:
            return False
        status = frames.unpack_gripper(found[1]).status
        return bool(status & frames.GRIPPER_HOMED) and not status & ((1 << len(frames.GRIPPER_FAULT_BITS)) - 1)


def _status_troubles(status: frames.Status) -> tuple[list[str], list[str]]:
    faults: list[str] = []
    warnings: list[str] = []
    if status.arm_status >= len(frames.ARM_STATUS):
        faults.append(f"arm: status {status.arm_status}, which nobody documents")
    elif status.arm_status in _FAULT_STATUS:
        faults.append(f"arm: {frames.ARM_STATUS[status.arm_status]}")
    elif status.arm_status in _WARNING_STATUS:
        warnings.append(f"arm: {frames.ARM_STATUS[status.arm_status]}")
    if status.ctrl_mode not in (frames.STANDBY, frames.CAN_CONTROL):
        faults.append(f"arm: not under CAN control (mode {status.ctrl_mode}, 2 is the teach button)")
    for bit, name in enumerate(ARM_JOINT_NAMES):
        if status.errors & 1 << bit:
            faults.append(f"{name}: does not answer its controller")
        if status.errors & 1 << 8 + bit:
            warnings.append(f"{name}: beyond its angle limit")  # the gate looks at positions itself
    return faults, warnings
