"""The emulated arm: what a Piper does on CAN, over somebody else's physics."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import can
import numpy as np
from go2_piper_description.joints import ARM_JOINT_NAMES, ARM_JOINTS, GRIPPER
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...arm_types import ArmTargets
from ...piper import frames
from ...piper.firmware import FirmwareError, known_firmware
from ...piper.wire import (
    CURRENT_TO_TORQUE,
    GRIPPER_NEWTON_PER_NM,
    MitSetPoint,
    mdeg_to_rad,
    mit_from_frame,
    rad_to_mdeg,
    um_to_travel,
)
from ..can.loopcan import Frame, LoopcanEnd, set_channel_down
from .command_log import CommandLog
from .faults import PiperFaults
from .wire_faults import WireFaults

Array = NDArray[np.float64]

CYCLE = 1.0 / frames.FAST_RATE
_SLOW_CYCLES = round(frames.FAST_RATE / frames.SLOW_RATE)
_POSE_CYCLES = 10
"""Cycles between two computations of the end pose, which nothing here reads."""
_MAX_LAG = 0.1
"""s of feedback that is made up for; older cycles are dropped."""
_STOP_DAMPING = 8.0
"""N m s/rad in an emergency stop: the arm sinks. What a real one does exactly is not known."""
_MAX_FRAMES_PER_STEP = 200

_KP = np.array([joint.kp for joint in ARM_JOINTS])
_KD = np.array([joint.kd for joint in ARM_JOINTS])
_LOWER = np.array([joint.lower for joint in ARM_JOINTS])
_UPPER = np.array([joint.upper for joint in ARM_JOINTS])
_VELOCITY = np.array([joint.velocity for joint in ARM_JOINTS])
_KI = 2.0 * _KP
"""N m/(rad s). Assumed: position mode is said to be precise, so that it does not sag as a mere spring would."""
_MAX_INTEGRAL = 0.5 * np.array([joint.effort for joint in ARM_JOINTS])
"""N m."""


@dataclass(frozen=True, eq=False)
class ArmMotion:
    """What the physics says of the arm; joints in the order of `ARM_JOINT_NAMES`."""

    position: Array
    """rad, shape (6,)."""
    velocity: Array
    """rad/s, shape (6,)."""
    effort: Array
    """N m, shape (6,)."""
    gripper_position: float = 0.0
    """Travel of each finger, m."""
    gripper_effort: float = 0.0
    """N at each finger."""


@dataclass(frozen=True)
class EmulatedPiperConfig:
    """How the arm is built."""

    channel: str = "emulated"
    """Of the `loopcan` bus."""
    bitrate: int = 1_000_000
    firmware: str = "S-V1.8-2"
    seed: int = 0
    """Of the faults on the wire."""


@dataclass
class _Controller:
    """The arm's own state."""

    ctrl_mode: int = frames.STANDBY
    move_mode: int = 0
    mit: int = frames.MIT_OFF
    speed: float = 0.0
    """0 to 1 of the joints' velocity limits."""
    stopped: bool = False
    enabled: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(6, dtype=bool))
    following: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(6, dtype=bool))
    """Joints that got a target since they got power."""
    target: Array = field(default_factory=lambda: np.zeros(6))
    reference: Array = field(default_factory=lambda: np.zeros(6))
    """Where the internal profile is on its way to the target."""
    integral: Array = field(default_factory=lambda: np.zeros(6))
    """N m that take the weight in position mode."""
    points: list[MitSetPoint | None] = field(default_factory=lambda: [None] * 6)
    gripper_enabled: bool = False
    gripper_target: float = 0.0
    """Travel of each finger, m."""
    beyond_limit: bool = False
    collision_levels: bytes = bytes(6)


class EmulatedPiper:
    """Speaks for the arm on its bus. One thread calls `step`; `faults` and `log` may be used from others."""

    def __init__(self, config: EmulatedPiperConfig | None = None) -> None:
        self.config = config or EmulatedPiperConfig()
        self.faults = PiperFaults()
        self.log = CommandLog()
        self._state = _Controller()
        self._wire = WireFaults(self.faults, self.config.seed)
        self._end = LoopcanEnd(self.config.channel, self.config.bitrate, node="arm")
        self._rival = LoopcanEnd(self.config.channel, self.config.bitrate, node="rival")
        self._replies: deque[Frame] = deque(maxlen=_MAX_FRAMES_PER_STEP)
        self._kinematics = ArmKinematics()
        self._pose: tuple[int, ...] = (0,) * 6
        self._cycle, self._next_cycle, self._last_step = 0, -math.inf, -math.inf
        self._is_down = False
        self._motion = ArmMotion(np.zeros(6), np.zeros(6), np.zeros(6))
        set_channel_down(self.config.channel, False)

    def close(self) -> None:
        """Leave the bus."""
        set_channel_down(self.config.channel, False)
        self._end.close()
        self._rival.close()

    @property
    def enabled(self) -> bool:
        """Whether all six motors have power."""
        return bool(self._state.enabled.all())

    @property
    def target(self) -> Array:
        """Where the arm is going in position mode, rad, shape (6,)."""
        return self._state.target.copy()

    def power_cycle(self) -> None:
        """Switch the arm off and on, as a person does after an emergency stop. Its pose stays, its state goes."""
        self._state = _Controller()

    # --- one step ---------------------------------------------------------------------------------------------------

    def due(self, now: float) -> bool:
        """Return whether the next cycle of the arm's own controller has come; `step` more often changes little."""
        return now >= self._next_cycle

    def step(self, now: float, motion: ArmMotion) -> ArmTargets:
        """Take the commands that have come, send the feedback that is due, and return what the motors do.

        Args:
            now: s, on any clock that does not jump.
            motion: measured now.
        """
        self._motion = motion
        self._apply_faults()
        for can_id, data in self._received():
            self._take(now, can_id, data)
        self._advance(min(max(now - self._last_step, 0.0), _MAX_LAG) if math.isfinite(self._last_step) else 0.0)
        self._last_step = now
        self._send_due(now)
        return self._motors()

    def _apply_faults(self) -> None:
        faults, state = self.faults, self._state
        if faults.bus_down != self._is_down:
            self._is_down = faults.bus_down
            set_channel_down(self.config.channel, self._is_down)
        if faults.unpowered:
            self._cut_power(range(6))
        for motor in faults.disabled:
            self._cut_power([motor - 1])
        if faults.estop:
            state.stopped = True
        if faults.teaching:
            state.ctrl_mode = frames.TEACHING

    def _received(self) -> list[Frame]:
        found: list[Frame] = []
        with contextlib.suppress(can.CanOperationError):  # the bus is down
            while len(found) < _MAX_FRAMES_PER_STEP and (bundle := self._end.receive(0.0)):
                found += bundle
        return [] if self.faults.silent else found

    # --- commands ---------------------------------------------------------------------------------------------------

    def _take(self, now: float, can_id: int, data: bytes) -> None:
        self.log.counts[can_id] += 1
        try:
            if can_id == frames.MOTION_1:
                self._motion_1(data)
            elif can_id == frames.MOTION_2:
                self._motion_2(data)
            elif can_id in frames.JOINT_COMMAND:
                self._joint_command(now, frames.JOINT_COMMAND.index(can_id), data)
            elif can_id in frames.MIT_COMMAND:
                self._mit_command(now, frames.MIT_COMMAND.index(can_id), data)
            elif can_id == frames.GRIPPER_COMMAND:
                self._gripper_command(frames.unpack_gripper_command(data))
            elif can_id == frames.MOTOR_ENABLE:
                self._motor_enable(data)
            else:
                self._configure(can_id, data)
        except (frames.FrameError, IndexError):
            self.log.violation(f"frame {can_id:#x} with {len(data)} bytes")

    def _motion_1(self, data: bytes) -> None:
        state = self._state
        if data[0] == frames.ESTOP:
            state.stopped = True
        elif data[0] == frames.RESUME:
            self.log.power_cut("0x150 resume")
            self._cut_power(range(6))
            state.gripper_enabled = False
            state.stopped = state.beyond_limit = False
            state.ctrl_mode = frames.STANDBY

    def _motion_2(self, data: bytes) -> None:
        state = self._state
        ctrl_mode, move_mode, speed, mit = data[0], data[1], data[2], data[3]
        if speed > 100:
            self.log.violation(f"speed {speed} %")
            return
        if state.ctrl_mode == frames.TEACHING or ctrl_mode not in (frames.STANDBY, frames.CAN_CONTROL):
            return
        if (move_mode, mit) != (state.move_mode, state.mit):  # a change of mode starts from here
            state.target = self._motion.position.copy()
            state.reference = self._motion.position.copy()
            state.integral[:] = 0.0
            state.points = [None] * 6
        state.ctrl_mode, state.move_mode, state.mit, state.speed = ctrl_mode, move_mode, mit, speed / 100.0

    def _obeys(self, move_mode: int, mit: int) -> bool:
        state = self._state
        return (
            state.ctrl_mode == frames.CAN_CONTROL
            and state.move_mode == move_mode
            and state.mit == mit
            and not state.stopped
        )

    def _joint_command(self, now: float, pair: int, data: bytes) -> None:
        state = self._state
        for offset, raw in enumerate(frames.unpack_pair(data)):
            index, target = 2 * pair + offset, mdeg_to_rad(raw)
            following = bool(state.following[index])
            measured = float(self._motion.position[index])
            self.log.joint_target(now, index, target, measured if state.enabled[index] else None, following)
            if not (state.enabled[index] and self._obeys(frames.MOVE_J, frames.MIT_OFF)):
                continue
            state.following[index] = True
            if not _LOWER[index] - 0.1 <= target <= _UPPER[index] + 0.1:
                state.beyond_limit = True
                continue
            state.beyond_limit = False
            state.target[index] = target

    def _mit_scale(self) -> tuple[float, ...] | None:
        try:
            band = known_firmware(self._firmware()).band
        except FirmwareError:
            return None
        return band.mit_scale or ((1.0,) * 6 if band.last < (1, 8, 8) else None)

    def _mit_command(self, now: float, index: int, data: bytes) -> None:
        frame, scale = frames.unpack_mit(data), self._mit_scale()
        if frame is None or scale is None:
            self.log.violation(f"{ARM_JOINT_NAMES[index]}: MIT frame that this firmware does not read")
            return
        point = mit_from_frame(frame)
        self.log.mit(now, index, point, scale[index])
        if self._state.enabled[index] and self._obeys(frames.MOVE_M, frames.MIT_ON):
            factor = scale[index]
            self._state.points[index] = MitSetPoint(
                point.position, point.velocity, factor * point.kp, factor * point.kd, factor * point.torque
            )

    def _gripper_command(self, command: frames.GripperCommand) -> None:
        state = self._state
        stroke = 2.0 * um_to_travel(command.stroke_um)
        state.gripper_enabled = bool(command.code & frames.GRIPPER_ENABLE_BIT) and not self.faults.unpowered
        if state.gripper_enabled:
            self.log.gripper(stroke)
            if not self.faults.gripper_not_homed:
                state.gripper_target = min(max(stroke / 2.0, GRIPPER.lower), GRIPPER.upper)

    def _motor_enable(self, data: bytes) -> None:
        motor, flag = data[0], data[1]
        motors = range(6) if motor in frames.ALL_MOTORS else [motor - 1] if 1 <= motor <= 6 else []
        if flag == frames.DISABLE:
            self.log.power_cut(f"0x471 disable motor {motor}")
            self._cut_power(motors)
        elif flag == frames.ENABLE and not self.faults.unpowered:
            for index in motors:
                if not self._state.enabled[index] and index + 1 not in self.faults.disabled:
                    self._state.enabled[index] = True
                    self._state.following[index] = False
                    self._state.target[index] = self._state.reference[index] = self._motion.position[index]
                    self._state.points[index], self._state.integral[index] = None, 0.0
        if motor in frames.ALL_MOTORS:  # 7 powers the gripper too
            self._state.gripper_enabled = flag == frames.ENABLE

    def _cut_power(self, motors: Iterable[int]) -> None:
        for index in motors:
            self._state.enabled[index] = self._state.following[index] = False

    def _configure(self, can_id: int, data: bytes) -> None:
        if can_id == frames.LIMITS_QUERY and 1 <= data[0] <= 6:
            self._replies.append(self._limits_reply(data[0], data[1]))
        elif can_id == frames.FIRMWARE and data[0] == 1:
            text = b"H-V1.2-1" + self._firmware().encode("ascii", "replace")
            text += bytes(-len(text) % frames.DLC)
            for start in range(0, len(text), frames.DLC):
                self._replies.append((frames.FIRMWARE, text[start : start + frames.DLC]))
        elif can_id == 0x47A:
            self._state.collision_levels = data[:6]
            self._acknowledge(can_id)
        elif can_id == 0x477 and data[0] == 2:
            self._replies.append((0x47B, self._state.collision_levels + bytes(2)))
        elif can_id in (0x474, 0x475, 0x477, 0x479, 0x47D):
            self._acknowledge(can_id)

    def _acknowledge(self, can_id: int) -> None:
        self._replies.append((0x476, bytes((can_id & 0xFF, 0)) + bytes(6)))

    def _limits_reply(self, motor: int, content: int) -> Frame:
        joint = ARM_JOINTS[motor - 1]
        if content == frames.QUERY_ACCELERATION:
            return frames.LIMITS_REPLY + 9, frames.pack_acceleration(motor, 5000)
        limits = frames.MotorLimits(
            motor,
            round(math.degrees(joint.upper) * 10),
            round(math.degrees(joint.lower) * 10),
            round(joint.velocity * 1000),
        )
        return frames.LIMITS_REPLY, frames.pack_limits(limits)

    def _firmware(self) -> str:
        return self.faults.firmware if self.faults.firmware is not None else self.config.firmware

    # --- motors -----------------------------------------------------------------------------------------------------

    def _advance(self, dt: float) -> None:
        """Move the internal reference towards the target, at most at the commanded share of the velocity limit."""
        state = self._state
        step = state.speed * _VELOCITY * dt
        state.reference += np.clip(state.target - state.reference, -step, step)
        state.integral += dt * _KI * (state.reference - self._motion.position)
        np.clip(state.integral, -_MAX_INTEGRAL, _MAX_INTEGRAL, out=state.integral)

    def _motors(self) -> ArmTargets:
        state = self._state
        kp, kd, velocity, effort = _KP.copy(), _KD.copy(), np.zeros(6), state.integral.copy()
        position = state.reference.copy()
        if state.stopped or state.ctrl_mode == frames.TEACHING:
            kp[:], kd[:], effort[:] = 0.0, _STOP_DAMPING if state.stopped else 1.0, 0.0
        elif state.mit == frames.MIT_ON:
            for index, point in enumerate(state.points):
                if point is not None:
                    position[index], velocity[index] = point.position, point.velocity
                    kp[index], kd[index], effort[index] = point.kp, point.kd, point.torque
        kp[~state.enabled] = kd[~state.enabled] = effort[~state.enabled] = 0.0
        gripper = state.gripper_target if state.gripper_enabled else None
        return ArmTargets(position, velocity, effort, kp, kd, gripper)

    # --- feedback ---------------------------------------------------------------------------------------------------

    def _send_due(self, now: float) -> None:
        if now - self._next_cycle > _MAX_LAG:
            self._next_cycle = now
        bundle: list[Frame] = []
        if now >= self._next_cycle:
            self._next_cycle += CYCLE
            self._cycle += 1
            bundle = self._feedback()
            if self.faults.rival:
                self._send(self._rival, [(can_id, frames.pack_pair(0, 0)) for can_id in frames.JOINT_COMMAND])
            bundle += self._replies
            self._replies.clear()
        bundle = self._wire.pass_on(now, bundle)
        if bundle:
            self._send(self._end, bundle)

    def _send(self, end: LoopcanEnd, bundle: list[Frame]) -> None:
        if end.acknowledged():
            with contextlib.suppress(can.CanOperationError):  # the bus is down
                end.send(bundle)

    def _feedback(self) -> list[Frame]:
        """Return the frames of one cycle, 3040 per second in all."""
        if self.faults.unpowered:
            return self._zeros()
        motion = self._motion
        position, velocity, effort = motion.position.tolist(), motion.velocity.tolist(), motion.effort.tolist()
        joints = [rad_to_mdeg(value) for value in position]
        if self._cycle % _POSE_CYCLES == 0:
            self._pose = self._end_pose(motion.position)
        out: list[Frame] = [(frames.STATUS, frames.pack_status(self._status()))]
        out += [(can_id, frames.pack_pair(*self._pose[2 * i : 2 * i + 2])) for i, can_id in enumerate(frames.END_POSE)]
        out += [(can_id, frames.pack_pair(*joints[2 * i : 2 * i + 2])) for i, can_id in enumerate(frames.JOINTS)]
        out.append((frames.GRIPPER, frames.pack_gripper(self._gripper_feedback())))
        scale = self._effort_scale()
        for index, can_id in enumerate(frames.MOTOR_FAST):
            current = effort[index] / (CURRENT_TO_TORQUE[index] * scale[index])
            fast = frames.MotorFast(
                _int16(1000.0 * velocity[index]), _int16(1000.0 * current), round(1000.0 * position[index])
            )
            out.append((can_id, frames.pack_motor_fast(fast)))
        for index, can_id in enumerate(frames.MOTOR_SLOW):
            if self._cycle % _SLOW_CYCLES == index % _SLOW_CYCLES:
                out.append((can_id, frames.pack_motor_slow(self._motor_slow(index))))
        return out

    def _motor_slow(self, index: int) -> frames.MotorSlow:
        faults = self.faults
        powered = frames.MOTOR_ENABLED * int(self._state.enabled[index])
        return frames.MotorSlow(
            bus_dv=round(10.0 * faults.bus_voltage), driver_c=33, motor_c=round(faults.motor_temperature),
            status=faults.motor_bits.get(index + 1, 0) | powered, bus_ma=400,
        )  # fmt: skip

    def _zeros(self) -> list[Frame]:
        ids = [frames.STATUS, *frames.END_POSE, *frames.JOINTS, frames.GRIPPER, *frames.MOTOR_FAST]
        ids += [can_id for i, can_id in enumerate(frames.MOTOR_SLOW) if self._cycle % _SLOW_CYCLES == i % _SLOW_CYCLES]
        return [(can_id, bytes(frames.DLC)) for can_id in ids]

    def _effort_scale(self) -> tuple[float, ...]:
        try:
            return known_firmware(self._firmware()).band.effort_scale
        except FirmwareError:
            return (1.0,) * 6

    def _status(self) -> frames.Status:
        state, faults = self._state, self.faults
        code = faults.arm_status or (1 if state.stopped else 4 if state.beyond_limit else 0)
        reached = float(np.abs(state.target - self._motion.position).max()) < 0.02
        return frames.Status(
            ctrl_mode=state.ctrl_mode, arm_status=code, move_mode=state.move_mode,
            teach_status=int(faults.teaching), motion_status=int(not reached), errors=faults.errors,
        )  # fmt: skip

    def _gripper_feedback(self) -> frames.GripperFeedback:
        bits = self.faults.gripper_bits | frames.GRIPPER_ENABLED * int(self._state.gripper_enabled)
        bits |= frames.GRIPPER_HOMED * int(not self.faults.gripper_not_homed)
        stroke = 0 if self.faults.gripper_not_homed else round(2e6 * self._motion.gripper_position)
        effort = _int16(1000.0 * self._motion.gripper_effort / GRIPPER_NEWTON_PER_NM)
        return frames.GripperFeedback(stroke, effort, bits)

    def _end_pose(self, position: Array) -> tuple[int, ...]:
        pose = self._kinematics.ee_transform(position)
        angles = Rotation.from_matrix(pose[:3, :3]).as_euler("xyz", degrees=True)
        return tuple(round(float(value)) for value in (*(1e6 * pose[:3, 3]), *(1e3 * angles)))


def _int16(value: float) -> int:
    return min(max(round(value), -32768), 32767)
