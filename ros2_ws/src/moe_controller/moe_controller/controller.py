"""The controller's core: goals and robot state in, joint targets out. ROS-free.

Time is that of the states' stamps. What arrives between two control steps takes effect, and starts to age, at the next
step, so that a run in lockstep does not depend on when a message was delivered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from go2_piper_description.joints import ARM_SLICE, NUM_JOINTS, joint_array
from go2_piper_description.kinematics import ArmKinematics
from go2_piper_description.links import Mount
from numpy.typing import ArrayLike, NDArray
from robot_bridge.types import BaseState, RobotState
from scipy.spatial.transform import Rotation

from .approach import ApproachParams, ApproachRule
from .contract import Contract
from .goals import ODOM, EeGoal, check_goal, finite_velocity, in_base_link, single_target
from .observation import ObservationBuilder
from .policy import PolicyFault, PolicyOutput
from .targets import natural_rotation, reachable_rotation
from .trajectory import IDENTITY, Array, Pose, PoseTrajectory

STANDSTILL = 1e-3
"""m/s or rad/s; a velocity command below this asks for nothing, so the approach rule may move the base."""


class Policy(Protocol):
    """What the core needs of a policy; `OnnxPolicy` is one."""

    contract: Contract

    def act(self, observation: NDArray[np.float32]) -> PolicyOutput:
        """Run one inference. Raises PolicyFault."""


@dataclass(frozen=True)
class ControlOutput:
    """What one control step gives."""

    position: Array
    """Joint position targets, rad, shape (18,), within the joint ranges."""
    weights: Array
    """Expert weights, shape (groups, experts)."""
    velocity_command: Array
    """What the policy was told: vx, vy (m/s), wz (rad/s) in base_link, shape (3,)."""
    target: Pose
    """Wanted pose of ee_link in base_link."""
    shown_target: Array
    """Where the policy was told the target is, m in base_link, shape (3,)."""
    shown_rotation: Array
    """How the policy was told it is turned, base_link <- ee_link, shape (3, 3)."""
    walking: bool
    """Whether the approach rule moves the base."""
    action: Array
    """Raw action after its limit, shape (18,)."""
    policy: PolicyOutput

    @property
    def effort(self) -> Array:
        """Feed-forward torques, N m, shape (18,): none, policies act through position targets."""
        return np.zeros(NUM_JOINTS)


@dataclass(frozen=True)
class _Targets:
    """Where the end effector should be at the preview times, in base_link."""

    positions: Array
    """m, (T, 3); the first is now."""
    orientations: Array
    """Quaternions, (T, 4)."""
    turned: bool
    """Whether the orientation matters."""
    fixed_to_robot: bool
    """It moves with the robot, so walking cannot reach it."""

    @property
    def pose(self) -> Pose:
        """The pose wanted now."""
        return Pose(self.positions[0], self.orientations[0])

    def held(self, rule: ApproachRule) -> _Targets:
        """Return the place that is shown now for all times, tied to the robot."""
        count = len(self.positions)
        position = self.positions[0] if self.fixed_to_robot else rule.show(self.positions[0])
        return _Targets(np.tile(position, (count, 1)), np.tile(self.orientations[0], (count, 1)), self.turned, True)


class MoeController:
    """Follows end-effector targets and velocity commands with a policy."""

    def __init__(self, policy: Policy, cmd_vel_timeout: float = 0.5, approach: ApproachParams | None = None) -> None:
        """Prepare for a policy.

        Args:
            policy: its contract says how observation and action look.
            cmd_vel_timeout: s after which a velocity command is forgotten.
            approach: numbers of the approach rule; None for the defaults.

        Raises:
            ContractError: the contract does not fit the robot or this software.
        """
        self.policy = policy
        self.contract = contract = policy.contract
        contract.check_robot(Mount().xyz)
        self._arm = arm = ArmKinematics(Mount(xyz=contract.mount_xyz))
        self._builder = ObservationBuilder(contract.observation, arm)
        self._ahead = np.array(self._builder.times)
        self._default = np.array(contract.default_position)
        self._scale = np.array(contract.action_scale)
        self._lower, self._upper = joint_array("lower"), joint_array("upper")
        self._rule = ApproachRule(
            arm.shoulder, contract.target_region, contract.velocity_limits, approach or ApproachParams()
        )
        home = arm.ee_transform(joint_array("stand")[ARM_SLICE])
        self.home = Pose(home[:3, 3], Rotation.from_matrix(home[:3, :3]).as_quat())
        """Pose of ee_link in base_link while the robot stands: the target until one is given."""
        count = len(self._ahead)
        at_home = np.tile(self.home.position, (count, 1)), np.tile(self.home.orientation, (count, 1))
        self._home_targets = _Targets(*at_home, turned=True, fixed_to_robot=True)
        self._timeout = cmd_vel_timeout
        self._goal: EeGoal | None = None
        self._velocity = np.zeros(3)
        self._velocity_stamp: float | None = None
        self._velocity_is_new = False
        self.reset()

    @property
    def control_period(self) -> float:
        """s between two steps."""
        return self.contract.control_period

    def reset(self) -> None:
        """Forget what earlier steps left behind. The end-effector goal stays; a velocity command does not."""
        self._last_action = np.zeros(NUM_JOINTS)
        self._walking = np.zeros((), dtype=bool)
        self._velocity = np.zeros(3)
        self._velocity_stamp = None
        self._velocity_is_new = False
        self._told = np.zeros(3)
        self._last_target = self._home_targets
        self._shown: tuple[Array, Array, Array] | None = None
        self._builder.reset()

    # -- goals ---------------------------------------------------------------------------------------------------------

    def set_target(
        self, position: ArrayLike, frame: str, base: BaseState | None = None, orientation: ArrayLike = IDENTITY
    ) -> None:
        """Take a new end-effector target; arguments and errors as in `goals.single_target`."""
        self._goal = single_target(position, frame, base, orientation)

    def set_trajectory(
        self, trajectory: PoseTrajectory, frame: str, base: BaseState | None = None, start: float | None = None
    ) -> None:
        """Take a new end-effector trajectory; arguments and errors as in `goals.check_goal`."""
        self._goal = check_goal(trajectory, frame, base, start)

    def set_velocity(self, velocity: ArrayLike) -> None:
        """Take a velocity command vx, vy (m/s), wz (rad/s), limited to what the policy knows. Raises GoalError."""
        self._velocity = self.contract.velocity_limits.clip(finite_velocity(velocity))
        self._velocity_is_new = True

    # -- the step --------------------------------------------------------------------------------------------------

    def step(self, state: RobotState, now: float, executing: bool) -> ControlOutput:
        """Compute joint targets.

        Args:
            state: newest measurement.
            now: time on the clock of the states, s.
            executing: whether the robot follows the commands. While it does not (the gate holds it), the policy sees a
                last action of zero, as the stand pose is what is in effect, no velocity command, and home as its
                target: commands stay near the stand pose, so that the gate can let them begin.

        Raises:
            PolicyFault: the policy gave nothing usable; there is no command for this step.
        """
        targets = self._targets(state, now)
        asked, shown = self._motion(targets, now)
        velocity = self._told = self.contract.velocity_limits.ramp(self._told, asked, self.control_period)
        if not executing:
            targets = self._home_targets
            velocity, shown = np.zeros(3), self._rule.project(targets.positions)
            self._told = velocity
            self._walking = np.zeros((), dtype=bool)
        rotations = self._shown_rotations(shown, targets)
        self._shown = velocity, shown, rotations
        observation = self._builder.build(
            self._builder.inputs(
                orientation=state.orientation,
                angular_velocity=state.angular_velocity,
                joint_position=state.position,
                joint_velocity=state.velocity,
                velocity_command=velocity,
                target_position=shown,
                target_rotation=rotations,
                last_action=self._last_action if executing else np.zeros(NUM_JOINTS),
            )
        )
        output = self.policy.act(observation)
        limit = self.contract.action_clip
        self._last_action = np.clip(output.action, -limit, limit)
        position = np.clip(self._default + self._scale * self._last_action, self._lower, self._upper)
        return ControlOutput(
            position=position,
            weights=output.weights,
            velocity_command=velocity,
            target=targets.pose,
            shown_target=shown[0],
            shown_rotation=rotations[0],
            walking=bool(self._walking),
            action=self._last_action,
            policy=output,
        )

    def imagine(
        self, orientation: Array, angular_velocity: Array, joint_position: Array, joint_velocity: Array, last: Array
    ) -> Array:
        """Return what the policy would ask for in another state soon after this step's; nothing is remembered.

        The targets are where this step has seen them from `base_link`, and so is the velocity command.

        Args:
            orientation: x, y, z, w, shape (4,).
            angular_velocity: rad/s in base_link, shape (3,).
            joint_position: rad, shape (18,).
            joint_velocity: rad/s, shape (18,).
            last: joint targets that it would have given before, rad, shape (18,).

        Returns:
            joint position targets, rad, shape (18,), within the joint ranges.

        Raises:
            PolicyFault: the policy gave nothing usable, or there was no step yet.
        """
        if self._shown is None:
            raise PolicyFault("policy: asked what it would do before its first step")
        velocity, shown, rotations = self._shown
        limit = self.contract.action_clip
        observation = self._builder.build(
            self._builder.inputs(
                orientation=orientation,
                angular_velocity=angular_velocity,
                joint_position=joint_position,
                joint_velocity=joint_velocity,
                velocity_command=velocity,
                target_position=shown,
                target_rotation=rotations,
                last_action=np.clip((last - self._default) / self._scale, -limit, limit),
            ),
            remember=False,
        )
        action = np.clip(self.policy.act(observation).action, -limit, limit)
        return np.clip(self._default + self._scale * action, self._lower, self._upper)

    def executed(self, position: Array) -> None:
        """Say what was sent in place of this step's joint targets, for a controller that plans or blends.

        The policy sees it as its last action at the next step: the action that would have led to it.

        Args:
            position: rad, shape (18,).
        """
        limit = self.contract.action_clip
        own = np.clip(self._default + self._scale * self._last_action, self._lower, self._upper)
        action = np.clip((position - self._default) / self._scale, -limit, limit)
        # where its own target went out, also one that a joint limit cut, the action stays as in training
        self._last_action = np.where(np.abs(position - own) <= 1e-9, self._last_action, action)

    def _targets(self, state: RobotState, now: float) -> _Targets:
        """Return where the goal wants the end effector now and at the observation's preview times."""
        goal = self._goal
        if goal is None:
            self._last_target = self._home_targets
            return self._last_target
        if goal.start is None:
            self._goal = goal = EeGoal(goal.trajectory, goal.frame, now)
        positions, orientations = goal.poses(now + self._ahead)
        turned = goal.trajectory.turns
        if goal.frame != ODOM:
            self._last_target = _Targets(positions, orientations, turned, True)
        elif state.base is not None:
            self._last_target = _Targets(*in_base_link(positions, orientations, state.base), turned, False)
        else:  # odometry was lost on the way: hold the arm where it is and do not walk blindly
            return self._last_target.held(self._rule)
        return self._last_target

    def _motion(self, targets: _Targets, now: float) -> tuple[Array, Array]:
        """Return the velocity command and the shown positions; the operator's command goes before the approach."""
        command = self._fresh_velocity(now)
        if targets.fixed_to_robot:
            self._walking = np.zeros((), dtype=bool)
            return command, self._rule.project(targets.positions)
        shown = self._rule.show(targets.positions)
        if np.any(np.abs(command) > STANDSTILL):
            self._walking = np.zeros((), dtype=bool)
            return command, shown
        approach = self._rule.step(targets.positions[0], self._walking)
        self._walking = approach.walking
        return approach.velocity, shown

    def _shown_rotations(self, positions: Array, targets: _Targets) -> Array:
        """Return orientations that the arm can take at the shown positions, as near to the wanted ones as it gets."""
        if targets.turned:
            wanted = Rotation.from_quat(targets.orientations).as_matrix()
        else:
            wanted = natural_rotation(positions, self._arm.shoulder)
        return reachable_rotation(positions, wanted, self._arm)

    def _fresh_velocity(self, now: float) -> Array:
        if self._velocity_is_new:
            self._velocity_stamp, self._velocity_is_new = now, False
        stamp = self._velocity_stamp
        # a stamp ahead of now: time went back, so the command is from another run
        if stamp is None or not 0.0 <= now - stamp <= self._timeout:
            return np.zeros(3)
        return self._velocity


def weights_entropy(weights: Array) -> Array:
    """Return the entropy of the expert weights, nats, shape (groups,): 0 for one expert alone, log(experts) for all."""
    safe = np.clip(weights, 1e-12, 1.0)
    return np.asarray(-np.sum(safe * np.log(safe), axis=-1))
