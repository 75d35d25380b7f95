"""Turns a plan's command into what the robot accepts: 18 position targets and feed-forward torques.

In each tick the plan's 12 coordinates are limited in rate, the legs follow by inverse kinematics over the planted
feet, and the weight is carried by feed-forward torques: tau = b - J^T f, where b is gravity at the commanded pose
and f the smallest contact forces that carry the trunk. Without them the standing error is 109 instead of 3 mm
(reduced_planner.md 5). A small posture feedback stiffens the trunk's x and y, which sway under kp 60.

The output stays inside the safety gate's limits: position targets inside the joint ranges, the arm's rate below its
3 rad/s, predicted torque within 0.9 of the effort.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import mujoco
import numpy as np
from go2_piper_description.joints import JOINT_NAMES, LEG_SLICE, LEGS
from go2_piper_description.links import Mount
from go2_piper_description.mjcf import build_mjcf
from numpy.typing import NDArray
from robot_bridge.checks import EFFORT, KD, KP, LOWER, UPPER, limit_torque
from robot_bridge.gate_params import GateParams
from robot_bridge.types import JointTargets, RobotState

from .coordinates import ARM_SLICE_12, NUM_COORDINATES, TRUNK_POSITION_SLICE, TRUNK_ROTATION_SLICE
from .stance import Stance, legs_for, trunk_rotation

Array = NDArray[np.float64]


class ExecutorError(ValueError):
    """A command that cannot be executed; one line says why."""


def _slew() -> Array:
    rate = np.empty(NUM_COORDINATES)
    rate[TRUNK_POSITION_SLICE], rate[TRUNK_ROTATION_SLICE], rate[ARM_SLICE_12] = 0.15, 0.4, 2.0
    return rate


def _only_xy(value: float) -> Array:
    gains = np.zeros(6)
    gains[:2] = value
    return gains


@dataclass(frozen=True)
class ExecutorSettings:
    """From reduced_planner.md 1 and 5, setting v2, where no other source is given."""

    slew: Array = field(default_factory=_slew)
    """Largest rate of each coordinate, m/s and rad/s, shape (12,). Without it the feet slip twice as far."""
    posture_gain: Array = field(default_factory=lambda: _only_xy(1.0))
    """Of the trunk's error, shape (6,). Only x and y: with all six the feet slid away in one posture at 50 Hz."""
    posture_damping: Array = field(default_factory=lambda: _only_xy(0.1))
    """Of the trunk's velocity, s, shape (6,)."""
    posture_limit: float = 0.06
    """m and rad, the most that posture feedback moves the trunk's command."""
    tangential_cost: float = 1.0
    """Of tangential contact forces against normal ones in the least-norm solution."""
    position_margin: float = 0.03
    """rad inside the joint ranges; the gate wants 0.02."""


@dataclass(frozen=True)
class Execution:
    """One tick's output."""

    targets: JointTargets
    """For the plant or, less the gains, for `/joint_commands`."""
    command: Array
    """The coordinates in force after rate limits, m and rad, shape (12,): what the planner's history wants."""
    feet_reached: NDArray[np.bool_]
    """Whether each foot keeps its place under this command, shape (4,)."""


class GravityModel:
    """Torques that hold the robot at a pose with its feet on the ground, from the description's masses."""

    def __init__(self, mount: Mount | None = None, tangential_cost: float = 1.0) -> None:
        self._model = mujoco.MjModel.from_xml_string(build_mjcf(mount, fixed_gripper=True))
        self._data = mujoco.MjData(self._model)
        joints = [self._model.joint(name) for name in JOINT_NAMES]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dofs = np.array([joint.dofadr[0] for joint in joints])
        self._feet = [self._model.site(f"{leg}_foot").id for leg in LEGS]
        self._ease = np.tile([1.0 / tangential_cost, 1.0 / tangential_cost, 1.0], len(LEGS))
        self._jacobian = np.zeros((3, self._model.nv))
        self._bias = np.zeros(self._model.nv)

    def torques(self, trunk_turn: Array, joints: Array) -> tuple[Array, Array]:
        """Return holding torques, N m, shape (18,), and the forces on the feet, N in the stance frame, shape (4, 3).

        Args:
            trunk_turn: stance (z up) <- `base_link`, shape (3, 3).
            joints: rad, shape (18,).
        """
        model, data = self._model, self._data
        data.qpos[:3] = 0.0
        mujoco.mju_mat2Quat(data.qpos[3:7], trunk_turn.ravel())
        data.qpos[self._qpos] = joints
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_comVel(model, data)
        mujoco.mj_rne(model, data, 0, self._bias)
        stacked = []
        for site in self._feet:
            mujoco.mj_jacSite(model, data, self._jacobian, None, site)
            stacked.append(self._jacobian.copy())
        jacobian = np.concatenate(stacked)
        base = jacobian[:, :6]
        weighted = base * self._ease[:, None]
        forces = weighted @ np.linalg.solve(base.T @ weighted, self._bias[:6])
        return (self._bias - jacobian.T @ forces)[self._dofs], forces.reshape(len(LEGS), 3)


class Executor:
    """Executes commands of a plan over one stance. Call `start`, then `step` at 50 Hz or faster."""

    def __init__(self, settings: ExecutorSettings | None = None, mount: Mount | None = None) -> None:
        self.settings = settings or ExecutorSettings()
        self.gravity = GravityModel(mount, self.settings.tangential_cost)
        self._gate = GateParams()
        self._stance: Stance | None = None
        self._command = np.zeros(NUM_COORDINATES)

    @property
    def stance(self) -> Stance | None:
        """The stance being held; None before `start`."""
        return self._stance

    @property
    def command(self) -> Array:
        """The coordinates in force, m and rad, shape (12,)."""
        return self._command.copy()

    def start(self, stance: Stance, state: RobotState) -> None:
        """Take the robot over where it is; `handover.Smoother` keeps the targets from jumping.

        Args:
            stance: feet to keep planted.
            state: the robot's; its coordinates become the command in force.

        Raises:
            StanceError: if the state is no stance.
        """
        self._stance, self._command = stance, stance.coordinates(state)[0]

    def step(self, target: Array, state: RobotState, elapsed: float) -> Execution:
        """Return what to send for a command of the plan.

        Args:
            target: coordinates that the plan wants now, m and rad, shape (12,).
            state: the robot's.
            elapsed: since the last step, s.

        Raises:
            ExecutorError: before `start`, or for a target that is not finite.
            StanceError: if the state is not finite or the robot has fallen.
        """
        stance, settings = self._stance, self.settings
        if stance is None:
            raise ExecutorError("executor: no stance; call start with the robot standing")
        if np.shape(target) != (NUM_COORDINATES,) or not np.all(np.isfinite(target)):
            raise ExecutorError(f"executor: the plan's command must be {NUM_COORDINATES} finite numbers")
        measured, velocity = stance.coordinates(state)
        most = settings.slew * elapsed
        self._command = np.clip(target, self._command - most, self._command + most)

        legs, reached = legs_for(self._command, stance.feet)
        joints = np.concatenate([legs, self._command[ARM_SLICE_12]])
        effort, _ = self.gravity.torques(trunk_rotation(self._command), joints)
        feedback = settings.posture_gain * (self._command[:6] - measured[:6]) - settings.posture_damping * velocity[:6]
        posture = self._command[:6] + np.clip(feedback, -settings.posture_limit, settings.posture_limit)
        joints[LEG_SLICE], _ = legs_for(posture, stance.feet)
        return Execution(self._limit(joints, effort, state), self.command, reached)

    def _limit(self, joints: Array, effort: Array, state: RobotState) -> JointTargets:
        margin, allowed = self.settings.position_margin, self._gate.torque_fraction * EFFORT
        inside = np.clip(joints, LOWER + margin, UPPER - margin)
        zero = np.zeros_like(inside)
        targets = JointTargets(inside, zero, np.clip(effort, -allowed, allowed), KP.copy(), KD.copy())
        # the gate's own rule: of what is too much torque, the position target gives way
        limited = limit_torque(targets, state, self._gate)
        return JointTargets(np.clip(limited.position, LOWER + margin, UPPER - margin), zero, limited.effort,
                            targets.kp, targets.kd)  # fmt: skip
