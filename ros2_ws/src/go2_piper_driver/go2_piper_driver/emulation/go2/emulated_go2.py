"""The emulated Go2 without its network: takes LowCmd messages, drives the legs, makes LowState messages."""

from __future__ import annotations

import math
import struct
from collections import Counter
from typing import Any

import numpy as np
from go2_piper_description.joints import LEG_SLICE

from ...go2 import messages, wire
from ...go2.motors import FEET, SERVO, SLOTS
from ..physics import PERIOD, Array, Drive, Physics
from .faults import Go2Faults
from .motion_service import MotionService
from .motors import read_drive

LOSS_BEHAVIOURS = ("hold", "damp", "limp")
"""What the motors do when commands stop; nobody has published what real ones do."""
LOSS_TIME = 0.1
"""s without a command until then; assumed."""
_LOSS_DAMPING = 2.0
_AMBIENT = 25.0
_WARMING_STEPS = 10
"""Steps between two looks at temperatures."""
_HEATING = 0.004
"""degrees C per s and (N m)2: a standing robot's thighs reach 60 C in about ten minutes."""
_COOLING = 0.005
"""1/s."""
_FULL_VOLTAGE, _EMPTY_VOLTAGE = 33.6, 24.0
_CELLS = 8
_SLOTS = list(SLOTS)
_MEASURED = np.array([slot * wire.STATE.row + column for column in (wire.STATE_Q, wire.STATE_DQ, wire.STATE_TAU)
                      for slot in SLOTS])  # fmt: skip
"""Places of positions, velocities and torques among the words of the motors."""
_FORCES = [FEET.index(place) for place in range(len(FEET))]
"""Which foot is at which place of the message."""
_TEMPERATURES = wire.STATE.places(SLOTS, wire.TEMPERATURE_OF_MOTOR)


class StateSample:
    """A LowState as bytes that are filled in place."""

    def __init__(self) -> None:
        message = messages.LowState_(head=[0xFE, 0xEF], level_flag=0xFF)
        for slot in SLOTS:
            message.motor_state[slot].mode = SERVO
        message.bms_state.current, message.power_a = -3000, 3.0
        message.temperature_ntc1 = message.temperature_ntc2 = 40
        self._buffer = bytearray(message.serialize())
        self._bytes = np.frombuffer(self._buffer, np.uint8)
        self.motors = wire.STATE.motors(self._buffer)

    def warm(self, temperature: Array) -> None:
        """Write the temperatures of the leg motors, degrees C, canonical order."""
        self._bytes[_TEMPERATURES] = temperature

    def put(self, layout: str, value: int, *numbers: float) -> None:
        """Write numbers from a value's place on."""
        struct.pack_into(layout, self._buffer, wire.STATE.offsets[value], *numbers)

    def sealed(self) -> bytes:
        """Return the bytes with their checksum."""
        self._buffer[-4:] = wire.STATE.checksum(self._buffer).to_bytes(4, "little")
        return bytes(self._buffer)


class EmulatedGo2:
    """Step it once per physics step, before the physics."""

    def __init__(self, physics: Physics, loss: str = "damp", mode: str = "normal", charge: float = 0.9) -> None:
        if loss not in LOSS_BEHAVIOURS:
            raise ValueError(f"loss '{loss}' is unknown: choose one of {', '.join(LOSS_BEHAVIOURS)}")
        self.physics = physics
        self.service = MotionService(mode)
        self.faults = Go2Faults()
        self.loss = loss
        self.counts: Counter[str] = Counter()
        """commands, crc_errors, ignored_unreleased, states, and broken limits as "limit: <which>"."""
        self.charge = charge
        self.temperature = np.full(12, _AMBIENT)
        self.command_time: float | None = None
        """When the last obeyed command came, s of physics."""
        self.last_drive: Drive = Drive.off(12)
        """Of the last obeyed command."""
        self.applied: Drive = Drive.off(12)
        """What the motors do now."""
        self._lost = 0.0
        self._tick = self._steps = 0
        self._command = b""
        """Bytes of the last command."""
        self._read: tuple[Drive, Counter[str]] | None = None
        """What they say; None for a wrong checksum."""
        self._sample = StateSample()
        self._sample.warm(self.temperature)

    # -- commands ------------------------------------------------------------------------------------------------------

    def take_command(self, command: wire.Sample) -> None:
        """Obey a LowCmd, if its checksum is right and the motors are released."""
        if self.faults.deaf:
            return
        self.counts["commands"] += 1
        if command.data != self._command:  # most are repeated
            self._command, self._read = command.data, read_drive(command) if command.intact else None
        if self._read is None:
            self.counts["crc_errors"] += 1
            return
        drive, broken = self._read
        for limit, count in broken.items():
            self.counts[f"limit: {limit}"] += count
        if self.service.mode:
            self.counts["ignored_unreleased"] += 1
            return
        self.last_drive, self.command_time = drive, self.physics.time

    def step(self) -> None:
        """Drive the legs for the next physics step."""
        faults = self.faults
        self.service.refuses_release = faults.release_fails
        if faults.mode_returns and not self.service.mode:
            self.service.answer("motion_switcher", 1002, '{"name": "normal"}')
        self.applied = self._drive()
        self.physics.drive_legs(self.applied)
        self._steps += 1
        if self._steps % _WARMING_STEPS == 0:
            self._warm(_WARMING_STEPS * PERIOD)
        self.charge = max(self.charge - (faults.drain + 1e-4) * PERIOD, 0.0)
        self._lost += faults.lost_rate * PERIOD

    def _warm(self, seconds: float) -> None:
        torque = self.physics.effort[LEG_SLICE]
        warming = _HEATING * torque**2 - _COOLING * (self.temperature - _AMBIENT) + self.faults.heat
        self.temperature = np.clip(self.temperature + warming * seconds, 0.0, 255.0)
        self._sample.warm(self.temperature)

    def _drive(self) -> Drive:
        physics = self.physics
        if self.service.mode:
            return self.service.drive(physics.position[LEG_SLICE], PERIOD)
        if self.command_time is None:
            return Drive.off(12)
        if physics.time - self.command_time <= LOSS_TIME or self.loss == "hold":
            return self.last_drive
        return Drive.damping(12, _LOSS_DAMPING) if self.loss == "damp" else Drive.off(12)

    # -- states --------------------------------------------------------------------------------------------------------

    def state(self) -> bytes | None:
        """Return the LowState of this step as a CDR sample; None where a fault keeps it back."""
        self._tick += 1
        faults = self.faults
        if faults.silent or (faults.tick_gap and self._tick % faults.tick_gap):
            return None
        self._fill_motors()
        self._fill_imu()
        self._fill_power()
        self._sample.put("<H", wire.STATE_REMOTE + 2, faults.buttons)
        self._sample.put("<I", wire.STATE_TICK, (2 * self._tick) % 2**32)
        sample = self._sample.sealed()
        if faults.bad_crc:
            sample = sample[:-4] + bytes((sample[-4] ^ 1,)) + sample[-3:]
        self.counts["states"] += 1
        return sample

    def _fill_motors(self) -> None:
        physics, motors = self.physics, self._sample.motors
        measured = physics.position[LEG_SLICE], physics.velocity[LEG_SLICE], physics.effort[LEG_SLICE]
        motors.put(_MEASURED, np.concatenate(measured))
        motors.view("<u4")[_SLOTS[0], wire.STATE_LOST] = int(self._lost)
        if self.faults.not_a_number:
            motors[_SLOTS[0], wire.STATE_DQ] = math.nan
        force = [min(max(int(newton), -32768), 32767) for newton in physics.foot_force.tolist()]
        self._sample.put("<4h", wire.STATE_FOOT_FORCE, *(force[foot] for foot in _FORCES))

    def _fill_imu(self) -> None:
        quaternion, gyro, accel = self.physics.imu()
        w, x, y, z = quaternion.tolist()
        if self.faults.tilt:
            c, s = math.cos(self.faults.tilt / 2), math.sin(self.faults.tilt / 2)
            w, x, y, z = w * c - x * s, x * c + w * s, y * c + z * s, z * c - y * s
        rates = gyro.tolist()
        if self.faults.not_a_number:
            rates[0] = math.nan
        roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
        pitch = math.asin(min(max(2 * (w * y - z * x), -1.0), 1.0))
        yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
        self._sample.put("<13fB", wire.STATE_IMU, w, x, y, z, *rates, *accel.tolist(), roll, pitch, yaw, 40)

    def _fill_power(self) -> None:
        voltage = _EMPTY_VOLTAGE + (_FULL_VOLTAGE - _EMPTY_VOLTAGE) * self.charge - self.faults.voltage_drop
        self._sample.put("<B", wire.STATE_SOC, round(100 * self.charge))
        self._sample.put(f"<{_CELLS}H", wire.STATE_CELLS, *[round(1000 * max(voltage, 0.0) / _CELLS)] * _CELLS)
        self._sample.put("<f", wire.STATE_VOLTAGE, voltage)

    # -- for tests and the control channel -----------------------------------------------------------------------------

    def make_well(self) -> None:
        """End all faults and what they left behind: cool motors, a full battery, released motors stay released."""
        if self.faults.mode_returns:
            self.service.mode = ""
        self.faults = Go2Faults()
        self.temperature = np.full(12, _AMBIENT)
        self._sample.warm(self.temperature)
        self.charge, self._lost = 0.9, 0.0

    def status(self) -> dict[str, Any]:
        """Return what a test wants to know."""
        applied = self.applied
        return {
            "mode": self.service.mode,
            "counts": dict(self.counts),
            "command_age": None if self.command_time is None else self.physics.time - self.command_time,
            "max_kp": float(applied.kp.max()),
            "min_kd": float(applied.kd.min()),
            "max_joint_speed": float(np.abs(self.physics.velocity[LEG_SLICE]).max()),
            "charge": self.charge,
            "temperature": float(self.temperature.max()),
        }
