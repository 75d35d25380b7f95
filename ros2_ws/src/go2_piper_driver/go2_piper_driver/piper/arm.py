"""The Piper behind the plant: connects, listens, sends at 200 Hz on its own, and holds when anything is wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO

import numpy as np
from go2_piper_description.joints import ARM_JOINT_NAMES, ARM_JOINTS, ARM_SLICE, joint_array
from robot_bridge.plant import PlantError

from ..arm_types import ArmState, ArmTargets
from . import channel as can_channel
from . import frames
from .firmware import Firmware, FirmwareError, known_firmware, mit_scale
from .follower import STATE_TIMEOUT, Follower, Inputs, Mode, Output
from .limits import ArmLimits, LimitsError, intersect
from .listener import Listener
from .mit import set_point
from .sdk import SdkBus, SdkError
from .wire import GRIPPER_EFFORT_MAX, joint_to_mdeg, stroke_to_um

PERIOD = 0.005
"""s between two joint targets, as in AgileX's examples."""
_MODE_TICKS = 10
"""Ticks between two frames that repeat mode and speed."""
_GRIPPER_TICKS = 10
_ENABLE_TICKS = 2
_FIRST_FRAME_TIMEOUT = 1.0
_QUERY_TIMEOUT = 2.0
_QUERY_PERIOD = 0.2
_RECONNECT_AFTER = 0.5
"""s of silence after which the bus is opened again."""
_RECONNECT_PERIOD = 1.0
_STOP_TICKS = 20
"""Hold targets that `stop` still sends."""
_POLL = 0.005
_REST = joint_array("rest")[ARM_SLICE]
PARK_TOLERANCE = 0.15
"""rad from the rest pose within which power may be cut: the arm lies on its stops there."""
PARK_VELOCITY = 0.05


@dataclass(frozen=True)
class PiperOptions:
    """How to reach the arm and what it may do."""

    channel: str = "can0"
    interface: str = can_channel.SOCKETCAN
    """python-can backend; `loopcan` for the emulated arm."""
    bitrate: int = can_channel.BITRATE
    speed_percent: int = 100
    """Share of the joints' velocity limits, 1 to 100; begin with 20 on a new arm."""
    mit: bool = False
    """Torques and gains of the targets instead of the arm's own position control; only where the firmware is known."""
    gripper_effort: float = 1.0
    """N m of the gripper's motor, 0 to 5; piper_control uses 1."""

    def __post_init__(self) -> None:
        if not 1 <= self.speed_percent <= 100:
            raise ValueError(f"speed_percent is {self.speed_percent}: it must be 1 to 100")
        if not 0.0 <= self.gripper_effort <= GRIPPER_EFFORT_MAX:
            raise ValueError(f"gripper_effort is {self.gripper_effort}: it must be 0 to {GRIPPER_EFFORT_MAX:.0f} N m")


class PiperArm:
    """One arm. `start`, `stop`, `read`, `write` and `power_off` are called by one thread."""

    def __init__(self, options: PiperOptions | None = None) -> None:
        self.options = options or PiperOptions()
        self.listener = Listener()
        self.firmware: Firmware | None = None
        """Known after `start`."""
        self.limits: ArmLimits | None = None
        """Known after `start`."""
        self.reconnects = 0
        self._bus: SdkBus | None = None
        self._follower: Follower | None = None
        self._mit_scale: tuple[float, ...] | None = None
        self._claim: IO[str] | None = None
        self._targets: tuple[ArmTargets, float] | None = None
        self._link_error: str | None = None
        self._ending = threading.Event()
        self._sender: threading.Thread | None = None
        self._tick = 0
        self._mit_sent = False

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect and begin to listen; nothing moves and no motor gets power. Raises PlantError."""
        if self._sender is not None:
            raise PlantError("the arm is started already")
        try:
            self._claim = can_channel.claim(self.options.interface, self.options.channel)
            self._connect()
        except (can_channel.ChannelError, SdkError, FirmwareError, LimitsError) as error:
            self._leave()
            raise PlantError(f"arm: {error}") from None
        self._ending.clear()
        self._link_error = None
        self._sender = threading.Thread(target=self._send_loop, name="piper_commands", daemon=True)
        self._sender.start()

    def stop(self) -> None:
        """Hold the arm where it is, powered, and leave the bus. May be called twice."""
        self._ending.set()
        if self._sender is not None:
            self._sender.join()
            self._sender = None
        self._leave()

    def _leave(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None
        if self._claim is not None:
            self._claim.close()
            self._claim = None
        self._targets = None

    def power_off(self) -> None:
        """Take the power from all motors of a parked arm, which then lies on its stops.

        Raises:
            PlantError: the arm is not parked, so that it would fall, or it keeps its power.
        """
        state = self.read()
        if state is None or self._bus is None or self._follower is None:
            raise PlantError("arm: not connected, power stays as it is")
        away = np.abs(state.position - _REST)
        if float(away.max()) > PARK_TOLERANCE or float(np.abs(state.velocity).max()) > PARK_VELOCITY:
            name = ARM_JOINT_NAMES[int(away.argmax())]
            raise PlantError(f"arm: it would fall: {name} is {away.max():.2f} rad from rest or moves; park it first")
        self._follower.forget("powered off")
        deadline = time.monotonic() + _QUERY_TIMEOUT
        while any(self.listener.enabled()):
            if time.monotonic() > deadline:
                raise PlantError("arm: the motors keep their power although they were told to switch off")
            for motor in range(1, frames.NUM_MOTORS + 1):
                self._bus.disable(motor)
            time.sleep(0.05)

    # --- state and targets ------------------------------------------------------------------------------------------

    def read(self) -> ArmState | None:
        """Return the newest state, None before the first. Raises PlantError when the link is lost."""
        if self._sender is None:
            raise PlantError("arm: not started")
        if self._link_error is not None:
            raise PlantError(f"arm: {self._link_error}")
        state = self.listener.state()
        if state is None:
            return None
        age = time.monotonic() - state.stamp
        if age > STATE_TIMEOUT:
            raise PlantError(f"arm: no joint frames for {age:.2f} s on {self.options.channel}")
        if self.reason and not state.faults:  # what the arm holds for may be over, but it does not go on by itself
            state = replace(state, faults=(f"{self.mode.value}: {self.reason}",))
        return state

    def write(self, targets: ArmTargets) -> None:
        """Hand over new targets. Raises PlantError if they are not finite or the arm is not started."""
        if self._sender is None:
            raise PlantError("arm: not started")
        for field in ("position", "velocity", "effort", "kp", "kd"):
            values = getattr(targets, field)
            if values.shape != (frames.NUM_MOTORS,):
                raise PlantError(f"arm: {field} has shape {values.shape}, not ({frames.NUM_MOTORS},)")
            if not np.all(np.isfinite(values)):
                name = ARM_JOINT_NAMES[int(np.argmin(np.isfinite(values)))]
                raise PlantError(f"arm: {field} of {name} is not finite; the arm keeps its last targets")
        if targets.gripper_position is not None and not np.isfinite(targets.gripper_position):
            raise PlantError("arm: gripper target is not finite; the arm keeps its last targets")
        self._targets = (targets, time.monotonic())

    @property
    def mode(self) -> Mode:
        """What the driver does."""
        return self._follower.mode if self._follower is not None else Mode.WAITING

    @property
    def reason(self) -> str:
        """Why the arm holds or does not start, empty when all is well."""
        return self._link_error or (self._follower.reason if self._follower is not None else "")

    def diagnostics(self) -> dict[str, str]:
        """Return counters and modes for people."""
        return {
            "arm mode": self.mode.value,
            "arm reason": self.reason,
            "firmware": self.firmware.text if self.firmware is not None else "",
            "CAN frames": str(sum(self.listener.counts.values())),
            "joint cycles rejected": str(self.listener.rejected),
            "frames too short": str(self.listener.short),
            "read errors": str(self._bus.read_errors if self._bus is not None else 0),
            "send errors": str(self._bus.send_errors if self._bus is not None else 0),
            "reconnects": str(self.reconnects),
        }

    # --- connection -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        """Open the bus and learn who is there. Raises one of the errors that `start` turns into PlantError."""
        options, listener = self.options, self.listener
        if options.interface == can_channel.SOCKETCAN:
            can_channel.check_socketcan(options.channel)
        listener.forget()
        self._bus = bus = SdkBus(options.interface, options.channel, options.bitrate, listener.feed)
        if not self._wait_for(listener.heard, _FIRST_FRAME_TIMEOUT):
            raise can_channel.ChannelError(
                f"no frame on {options.channel} ({options.interface}) within {_FIRST_FRAME_TIMEOUT:.0f} s: is the arm "
                f"powered, is its cable in, and does the bus run at {can_channel.BITRATE} bit/s?"
            )
        self.firmware = firmware = known_firmware(self._ask_firmware(bus))
        scale = mit_scale(firmware) if options.mit else None
        listener.effort_scale = firmware.band.effort_scale
        limits = self._ask_limits(bus)
        if not self._wait_for(listener.complete, _FIRST_FRAME_TIMEOUT):
            raise can_channel.ChannelError(f"some feedback frames do not come on {options.channel}: is this a Piper?")
        if listener.unpowered():
            raise can_channel.ChannelError("the arm is not powered: all its motors report 0 V; switch its supply on")
        if (rival := listener.rival) is not None:
            raise can_channel.ChannelError(
                f"another program commands the arm on {options.channel} (frame {rival:#x}); stop it"
            )
        self._mit_scale, self.limits = scale, limits
        self._follower = Follower(limits, options.speed_percent / 100.0, soft=scale is not None)

    def _wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not condition():
            given_up = self._ending.is_set() and self._sender is not None
            if given_up or time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def _ask_firmware(self, bus: SdkBus) -> str:
        deadline = time.monotonic() + _QUERY_TIMEOUT
        while time.monotonic() < deadline:
            self.listener.forget_firmware()
            bus.ask_firmware()
            self._wait_for(lambda: self.listener.firmware() is not None, _QUERY_PERIOD)
            text = self.listener.firmware()
            if text is not None:
                return text
        raise FirmwareError(f"the arm does not tell its firmware within {_QUERY_TIMEOUT:.0f} s; no motion without it")

    def _ask_limits(self, bus: SdkBus) -> ArmLimits:
        deadline = time.monotonic() + _QUERY_TIMEOUT
        motors = range(1, frames.NUM_MOTORS + 1)
        while time.monotonic() < deadline and len(self.listener.limits) < frames.NUM_MOTORS:
            for motor in motors:
                if motor not in self.listener.limits:
                    bus.ask_limits(motor)
            self._wait_for(lambda: len(self.listener.limits) == frames.NUM_MOTORS, _QUERY_PERIOD)
        return intersect(*bus.sdk_limits(), self.listener.limits)

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send_loop(self) -> None:
        deadline = time.monotonic()
        left = _STOP_TICKS
        while left > 0:
            if self._ending.is_set():
                left -= 1
                self._targets = None
                if self.mode not in (Mode.FOLLOWING, Mode.HOLDING) or self._link_error is not None:
                    return
            try:
                self._turn(time.monotonic())
            except Exception as error:  # the arm holds its last target; nobody may take this thread down
                self._lose(f"driver failed: {type(error).__name__}: {error}")
            deadline = max(deadline + PERIOD, time.monotonic() - PERIOD)
            time.sleep(max(0.0, deadline - time.monotonic()))

    def _turn(self, now: float) -> None:
        """Send what is due at `now`."""
        follower, bus = self._follower, self._bus
        if self._link_error is not None or follower is None or bus is None:
            self._reconnect()
            return
        self._tick += 1
        stamp = self.listener.state_stamp()
        if stamp is None or now - stamp > _RECONNECT_AFTER:
            self._lose(f"lost the arm on {self.options.channel}: no joint frames; connecting again")
            return
        targets, targets_stamp = self._targets or (None, 0.0)
        state = self.listener.state()
        output = follower.step(
            Inputs(
                now=now, state=state, powered=self.listener.enabled(),
                under_control=self.listener.ctrl_mode() == frames.CAN_CONTROL,
                targets=targets, targets_stamp=targets_stamp,
            )
        )  # fmt: skip
        self._send(bus, output, targets, state)

    def _send(self, bus: SdkBus, output: Output, targets: ArmTargets | None, state: ArmState | None) -> None:
        if output.enable and self._tick % _ENABLE_TICKS == 0:
            for motor in output.enable:
                bus.enable(motor)
        mit = self._mit_scale is not None and output.compliant
        if output.speed > 0.0 and (self._tick % _MODE_TICKS == 0 or mit is not self._mit_sent):
            percent = min(100, max(1, round(100.0 * output.speed)))
            (bus.mit_mode if mit else bus.position_mode)(percent)
            self._mit_sent = mit
        if output.position is not None and self.limits is not None:
            if mit and targets is not None and state is not None:
                self._send_mit(bus, output, targets, state)
            else:
                limits = zip(output.position, self.limits.lower, self.limits.upper, strict=True)
                bus.joints([joint_to_mdeg(float(value), low, high) for value, low, high in limits])
        gripper_due = self._tick % _GRIPPER_TICKS == 0 and self.listener.gripper_homed()
        if output.gripper is not None and gripper_due and self.limits is not None:
            bus.gripper(stroke_to_um(output.gripper, self.limits.gripper), round(1000.0 * self.options.gripper_effort))

    def _send_mit(self, bus: SdkBus, output: Output, targets: ArmTargets, state: ArmState) -> None:
        assert self._mit_scale is not None and output.position is not None
        for index, joint in enumerate(ARM_JOINTS):
            point = set_point(
                joint, float(output.position[index]), float(targets.velocity[index]), float(targets.effort[index]),
                float(targets.kp[index]), float(targets.kd[index]),
                (float(state.position[index]), float(state.velocity[index])), self._mit_scale[index],
            )  # fmt: skip
            bus.mit(index + 1, point)

    def _lose(self, reason: str) -> None:
        """Give the link up; nothing that ran goes on by itself afterwards."""
        self._link_error = reason
        if self._follower is not None:
            self._follower.forget(reason)
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def _reconnect(self) -> None:
        """Try once to connect again. The thread has nothing else to do meanwhile."""
        if self._ending.wait(_RECONNECT_PERIOD):
            return
        try:
            self._connect()
        except (can_channel.ChannelError, SdkError, FirmwareError, LimitsError) as error:
            self._lose(str(error))
            return
        self.reconnects += 1
        self._targets = None
        self._link_error = None
