"""Makes a `Plant` of this project fit the loop of the plant host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, NUM_JOINTS, joint_array

from ..plant import Plant
from ..plant_loader import make_plant
from ..types import BaseState, JointTargets, RobotState
from . import layout
from .loop import HostedDevice

DAMPING = 8.0
"""N m s/rad on the legs; as `gate.damping_kd_leg`."""


def to_record(state: RobotState) -> layout.State:
    """Return a state as plain numbers."""
    base = state.base
    return layout.State(
        stamp=state.stamp,
        position=tuple(state.position.tolist()),
        velocity=tuple(state.velocity.tolist()),
        effort=tuple(state.effort.tolist()),
        orientation=tuple(state.orientation.tolist()),
        angular_velocity=tuple(state.angular_velocity.tolist()),
        linear_acceleration=tuple(state.linear_acceleration.tolist()),
        gripper=(state.gripper_position, state.gripper_velocity, state.gripper_effort),
        base=None if base is None else (*base.position.tolist(), *base.orientation.tolist(),
                                        *base.linear_velocity.tolist(), *base.angular_velocity.tolist()),
        temperature=None if state.motor_temperature is None else tuple(state.motor_temperature.tolist()),
        charge=state.battery_charge,
        faults=state.faults,
        wear=state.wear,
        request=state.request,
    )  # fmt: skip


def from_record(record: layout.State) -> RobotState:
    """Return the state of plain numbers."""
    base = None
    if record.base is not None:
        values = np.array(record.base)
        base = BaseState(values[0:3], values[3:7], values[7:10], values[10:13])
    return RobotState(
        stamp=record.stamp,
        position=np.array(record.position),
        velocity=np.array(record.velocity),
        effort=np.array(record.effort),
        orientation=np.array(record.orientation),
        angular_velocity=np.array(record.angular_velocity),
        linear_acceleration=np.array(record.linear_acceleration),
        gripper_position=record.gripper[0],
        gripper_velocity=record.gripper[1],
        gripper_effort=record.gripper[2],
        base=base,
        motor_temperature=None if record.temperature is None else np.array(record.temperature),
        battery_charge=record.charge,
        faults=record.faults,
        wear=record.wear,
        request=record.request,
    )


def to_targets(record: layout.Targets) -> JointTargets:
    """Return the targets of plain numbers."""
    return JointTargets(np.array(record.position), np.array(record.velocity), np.array(record.effort),
                        np.array(record.kp), np.array(record.kd), record.gripper)  # fmt: skip


def from_targets(targets: JointTargets, sent: float) -> layout.Targets:
    """Return targets as plain numbers."""
    return layout.Targets(
        sent,
        tuple(targets.position.tolist()),
        tuple(targets.velocity.tolist()),
        tuple(targets.effort.tolist()),
        tuple(targets.kp.tolist()),
        tuple(targets.kd.tolist()),
        targets.gripper_position,
    )


class LocalPlant(HostedDevice):
    """A plant class of this project. Raises PlantError where it cannot be made."""

    def __init__(self, plant_class: Any, options: Mapping[str, Any]) -> None:
        self._plant: Plant = make_plant(plant_class, options)
        self._state: RobotState | None = None
        self._record: layout.State | None = None
        self._targets: tuple[layout.Targets, JointTargets] | None = None
        self._hold: JointTargets | None = None

    def start(self) -> None:
        """See `HostedDevice`."""
        self._plant.start()

    def stop(self) -> None:
        """See `HostedDevice`."""
        self._plant.stop()

    def rescue(self) -> None:
        """See `HostedDevice`."""
        rescue = getattr(self._plant, "rescue", None)
        if rescue is None:
            super().rescue()
        else:
            rescue()

    def read(self) -> layout.State | None:
        """See `HostedDevice`."""
        state = self._plant.read()
        if state is not self._state:
            self._state = state
            self._record = None if state is None else to_record(state)
        return self._record

    def write(self, targets: layout.Targets) -> None:
        """See `HostedDevice`."""
        self._hold = None
        if self._targets is None or self._targets[0] is not targets:
            self._targets = (targets, to_targets(targets))
        self._plant.write(self._targets[1])

    def damp(self) -> None:
        """See `HostedDevice`.

        A plant without a `damp` of its own damps its legs, and its arm holds with half its gains the pose it had.
        """
        damp = getattr(self._plant, "damp", None)
        if damp is not None:
            damp()
            return
        if self._hold is None:
            position, kp, kd = np.zeros(NUM_JOINTS), np.zeros(NUM_JOINTS), joint_array("kd")
            kd[LEG_SLICE] = DAMPING
            if self._state is not None and np.isfinite(self._state.position).all():
                position = self._state.position
                kp[ARM_SLICE] = 0.5 * joint_array("kp")[ARM_SLICE]
            self._hold = JointTargets(position, kp=kp, kd=kd)
        self._plant.write(self._hold)

    def diagnostics(self) -> dict[str, str]:
        """See `HostedDevice`."""
        describe = getattr(self._plant, "diagnostics", None)
        return {} if describe is None else dict(describe())
