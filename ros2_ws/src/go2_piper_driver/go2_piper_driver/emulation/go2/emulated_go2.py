"""The emulated Go2 without its network: takes LowCmd messages, drives the legs, makes LowState messages."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
from go2_piper_description.joints import LEG_SLICE

from ...go2 import messages, wire
from ...go2.motors import FEET, SLOTS
from ..physics import PERIOD, Drive, Physics
from .faults import Go2Faults
from .motion_service import MotionService
from .motors import check_crc, read_drive

LOSS_BEHAVIOURS = ("hold", "damp", "limp")
"""What the motors do when commands stop; nobody has published what real ones do."""
LOSS_TIME = 0.1
"""s without a command until then; assumed."""
_LOSS_DAMPING = 2.0
_AMBIENT = 25.0
_HEATING = 0.004
"""degrees C per s and (N m)2: a standing robot's thighs reach 60 C in about ten minutes."""
_COOLING = 0.005
"""1/s."""
_FULL_VOLTAGE, _EMPTY_VOLTAGE = 33.6, 24.0
_CELLS = 8
_ROWS = tuple(wire.STATE_MOTORS + wire.STATE_ROW * slot for slot in SLOTS)
"""Where the leg motors are among the values of a LowState, canonical order."""


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
        self._tick = 0
        self._values = list(wire.state_values(messages.LowState_(head=[0xFE, 0xEF], level_flag=0xFF)))

    # -- commands ------------------------------------------------------------------------------------------------------

    def take_command(self, command: Any) -> None:
        """Obey a LowCmd, if its checksum is right and the motors are released."""
        if self.faults.deaf:
            return
        self.counts["commands"] += 1
        if not check_crc(command):
            self.counts["crc_errors"] += 1
            return
        drive, broken = read_drive(command)
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
        torque = self.physics.effort[LEG_SLICE]
        warming = _HEATING * torque**2 - _COOLING * (self.temperature - _AMBIENT) + faults.heat
        self.temperature = np.clip(self.temperature + warming * PERIOD, 0.0, 255.0)
        self.charge = max(self.charge - (faults.drain + 1e-4) * PERIOD, 0.0)
        self._lost += faults.lost_rate * PERIOD

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
        values = self._values
        self._fill_motors(values)
        self._fill_imu(values)
        self._fill_power(values)
        keys = wire.STATE_REMOTE.start + 2
        values[keys : keys + 2] = faults.buttons.to_bytes(2, "little")
        values[wire.STATE_TICK] = (2 * self._tick) % 2**32
        sample = wire.seal_state(values)
        if faults.bad_crc:
            sample = sample[:-4] + bytes((sample[-4] ^ 1,)) + sample[-3:]
        self.counts["states"] += 1
        return sample

    def _fill_motors(self, values: list[Any]) -> None:
        physics = self.physics
        columns = zip(_ROWS, physics.position.tolist(), physics.velocity.tolist(), physics.effort.tolist(),
                      self.temperature.tolist(), strict=False)  # fmt: skip
        for at, q, dq, tau, temperature in columns:
            values[at : at + 3] = (1, q, dq)
            values[at + 4], values[at + 8] = tau, int(temperature)
        values[_ROWS[0] + 9] = int(self._lost)
        if self.faults.not_a_number:
            values[_ROWS[0] + 2] = math.nan
        force = [min(max(int(newton), -32768), 32767) for newton in physics.foot_force.tolist()]
        for foot, place in enumerate(FEET):
            values[wire.STATE_FOOT_FORCE.start + place] = force[foot]

    def _fill_imu(self, values: list[Any]) -> None:
        quaternion, gyro, accel = self.physics.imu()
        w, x, y, z = quaternion.tolist()
        if self.faults.tilt:
            c, s = math.cos(self.faults.tilt / 2), math.sin(self.faults.tilt / 2)
            w, x, y, z = w * c - x * s, x * c + w * s, y * c + z * s, z * c - y * s
        values[wire.STATE_QUATERNION] = (w, x, y, z)
        values[wire.STATE_GYRO] = gyro.tolist()
        values[wire.STATE_ACCEL] = accel.tolist()
        values[wire.STATE_RPY] = (
            math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
            math.asin(min(max(2 * (w * y - z * x), -1.0), 1.0)),
            math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
        )
        values[wire.STATE_IMU_TEMPERATURE] = 40
        if self.faults.not_a_number:
            values[wire.STATE_GYRO.start] = math.nan

    def _fill_power(self, values: list[Any]) -> None:
        voltage = _EMPTY_VOLTAGE + (_FULL_VOLTAGE - _EMPTY_VOLTAGE) * self.charge - self.faults.voltage_drop
        values[wire.STATE_SOC] = round(100 * self.charge)
        values[wire.STATE_CURRENT] = -3000
        cells = wire.STATE_CELLS.start
        values[cells : cells + _CELLS] = [round(1000 * max(voltage, 0.0) / _CELLS)] * _CELLS
        values[wire.STATE_VOLTAGES] = (voltage, 3.0)
        values[wire.STATE_NTC] = (40, 40)

    # -- for tests and the control channel -----------------------------------------------------------------------------

    def make_well(self) -> None:
        """End all faults and what they left behind: cool motors, a full battery, released motors stay released."""
        if self.faults.mode_returns:
            self.service.mode = ""
        self.faults = Go2Faults()
        self.temperature = np.full(12, _AMBIENT)
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
