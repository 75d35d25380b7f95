"""The simulated robot as the closed loop wants it: standing from the start, with what the planner does not know of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import mujoco
import numpy as np
from go2_piper_description.joints import LEGS, joint_array
from go2_piper_description.links import EE_LINK, TOOL_LENGTH
from numpy.typing import NDArray
from robot_bridge.types import JointTargets
from sim_bridge.mujoco_plant import MujocoOptions, MujocoPlant

Array = NDArray[np.float64]

_EPSILON = 1e-9
_SETTLE_TIME = 2.0
"""s of standing before an episode; the loaded robot needs them to sink and spread its feet."""
_GRIPPER_LINK = "piper_link6"


@dataclass(frozen=True)
class Push:
    """A force on the trunk."""

    force: tuple[float, float, float]
    """N in `odom`."""
    start: float
    """s since the episode's beginning."""
    duration: float = 0.2
    """s."""


@dataclass(frozen=True)
class World:
    """How the simulated robot differs from the planner's idea of it."""

    model_path: str = ""
    """MJCF of the same robot; empty for the built-in one."""
    payload: float = 0.0
    """kg between the finger pads, unknown to the planner."""
    gain_factor: float = 1.0
    """Times the gains that are asked for."""
    friction: float | None = None
    """Sliding friction of feet and floor; None leaves the model's 0.8."""


class StandingPlant(MujocoPlant):
    """The simulated robot, which begins standing in its stand pose and can be pushed."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        super().__init__(MujocoOptions(plant_model=self.world.model_path))
        self._push: Push | None = None
        if self.world.payload:
            self._load(self.world.payload)
        if self.world.friction is not None:
            self.model.geom_friction[:, 0] = self.world.friction
        self._ee_site = self.model.site(EE_LINK).id

    @property
    def stand_targets(self) -> JointTargets:
        """What makes the robot stand before the planner takes over."""
        return JointTargets(joint_array("stand"), kp=joint_array("kp"), kd=joint_array("kd"))

    def start(self) -> None:
        """Stand in the stand pose until the robot has settled; time zero is after that."""
        mujoco.mj_resetDataKeyframe(self.model, self.data, self.model.key("stand").id)
        self._pending.clear()
        self._push = None
        self._apply(self.stand_targets)
        self.data.xfrc_applied[:] = 0.0
        for _ in range(round(_SETTLE_TIME / self.model.opt.timestep)):
            mujoco.mj_step(self.model, self.data)
        self.data.time, self._steps = 0.0, 0
        self._measure()

    def schedule(self, push: Push | None) -> None:
        """Have the trunk pushed in the episode to come; None for not."""
        self._push = push

    def step(self) -> None:
        """Let `step_period` pass."""
        push, force = self._push, np.zeros(3)
        if push is not None and push.start - _EPSILON <= self.time < push.start + push.duration - _EPSILON:
            force = np.asarray(push.force)
        self.data.xfrc_applied[self.robot.base_body, :3] = force
        super().step()

    def ee_pose(self) -> tuple[Array, Array]:
        """Return the true position, m, shape (3,), and rotation, shape (3, 3), of `ee_link` in `odom`."""
        site = self._ee_site
        return self.data.site_xpos[site].copy(), self.data.site_xmat[site].reshape(3, 3).copy()

    def feet(self) -> Array:
        """Return the true positions of the feet in `odom`, m, shape (4, 3)."""
        return np.array([self.data.site(f"{leg}_foot").xpos for leg in LEGS])

    def _apply(self, targets: JointTargets) -> None:
        factor = self.world.gain_factor
        super()._apply(replace(targets, kp=factor * targets.kp, kd=factor * targets.kd))

    def _load(self, mass: float) -> None:
        """Add a point mass between the finger pads."""
        model, body = self.model, self.model.body(_GRIPPER_LINK).id
        old, place = float(model.body_mass[body]), np.array([0.0, 0.0, TOOL_LENGTH])
        arm = place - model.body_ipos[body]
        model.body_mass[body] = old + mass
        model.body_ipos[body] += arm * mass / (old + mass)
        # of a point on the gripper's axis; the axes of inertia lie along the link's up to some degrees
        model.body_inertia[body, :2] += old * mass / (old + mass) * float(arm @ arm)
        mujoco.mj_setConst(model, self.data)
