"""The simulated robots of the environment: model, MuJoCo's batch, and what is drawn per robot."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
from go2_piper_description.joints import JOINT_NAMES, LEGS, NUM_JOINTS
from go2_piper_description.links import ARM_BASE_LINK, BASE_LINK, EE_LINK
from go2_piper_description.mjcf import build_mjcf
from mujoco.batch import Batch
from numpy.typing import NDArray

from .config import EnvConfig

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

HAND_LINK = "piper_link6"
STAND_KEY = "stand"


class ModelError(ValueError):
    """A robot model cannot be used; one line."""


def training_model(timestep: float) -> mujoco.MjModel:
    """Compile the robot for training: fingers welded, only feet touch the floor, no dry joint friction.

    Both prunings together are 1.4 times faster; the full model is what policies are evaluated on in the ROS graph.

    Args:
        timestep: s of simulated time per physics step.
    """
    model = mujoco.MjModel.from_xml_string(build_mjcf(fixed_gripper=True))
    keep = {"floor", *(f"{leg}_foot" for leg in LEGS)}
    for index in range(model.ngeom):
        if model.geom(index).name not in keep:
            model.geom_contype[index] = model.geom_conaffinity[index] = 0
    model.dof_frictionloss[:] = 0.0
    model.opt.timestep = timestep
    # enough for four feet: the same scores as with the defaults of the full model
    model.opt.iterations, model.opt.ls_iterations, model.opt.tolerance = 5, 8, 1e-5
    check_model(model)
    return model


def load_model(path: Path, timestep: float) -> mujoco.MjModel:
    """Compile a robot model from the user's MJCF file. Raises ModelError."""
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        raise ModelError(f"{path} is not a usable MJCF file ({' '.join(str(error).split())[:160]})") from None
    model.opt.timestep = timestep
    try:
        check_model(model)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    return model


def check_model(model: mujoco.MjModel) -> None:
    """Refuse models whose joints, sites, sensors or keyframe are not those of the robot. Raises ModelError."""
    names = [model.joint(i).name for i in range(1, min(model.njnt, NUM_JOINTS + 1))]
    if names != list(JOINT_NAMES) or model.nu != NUM_JOINTS or model.nq != 7 + NUM_JOINTS:
        raise ModelError(
            f"its joints must be a free joint and the {NUM_JOINTS} of the joint table in canonical order, "
            f"with one actuator each and welded fingers; it has {model.njnt} joints and {model.nu} actuators"
        )
    wanted = {
        mujoco.mjtObj.mjOBJ_SITE: [EE_LINK, *(f"{leg}_foot" for leg in LEGS)],
        mujoco.mjtObj.mjOBJ_SENSOR: [f"{leg}_touch" for leg in LEGS],
        mujoco.mjtObj.mjOBJ_GEOM: [f"{leg}_foot" for leg in LEGS],
        mujoco.mjtObj.mjOBJ_BODY: [BASE_LINK, ARM_BASE_LINK, HAND_LINK],
        mujoco.mjtObj.mjOBJ_KEY: [STAND_KEY],
    }
    missing = [
        f"{kind.name[6:].lower()} '{name}'"
        for kind, list_ in wanted.items()
        for name in list_
        if mujoco.mj_name2id(model, kind, name) < 0
    ]
    if missing:
        raise ModelError(f"it lacks {', '.join(missing)}")


class Physics:
    """A batch of robots, each with its own drawn body and motors."""

    def __init__(self, config: EnvConfig, rng: np.random.Generator) -> None:
        self.config, self._rng = config, rng
        self.substeps = round(config.control_period / config.physics_timestep)
        step = config.physics_timestep
        self.model = load_model(Path(config.model), step) if config.model else training_model(step)
        self.batch = b = Batch(self.model, config.num_envs, config.num_threads)
        self.qpos, self.qvel, self.ctrl = b.bind("qpos"), b.bind("qvel"), b.bind("ctrl")
        self.force = b.bind("actuator_force")
        """N m, (N, 18)."""
        self._xpos, self._xmat, self._sensors = b.bind("xpos"), b.bind("xmat"), b.bind("sensordata")
        self._site, self._site_xmat = b.bind("site_xpos"), b.bind("site_xmat")
        model = self.model
        self._base, self._mount, self._hand = (model.body(name).id for name in (BASE_LINK, ARM_BASE_LINK, HAND_LINK))
        self._ee = model.site(EE_LINK).id
        self._feet = [model.site(f"{leg}_foot").id for leg in LEGS]
        self._touch = [model.sensor(f"{leg}_touch").adr[0] for leg in LEGS]
        self._foot_geoms = [model.geom(f"{leg}_foot").id for leg in LEGS]
        self._stand_key = model.key(STAND_KEY).id
        self._friction, self._mass = b.expand("geom_friction"), b.expand("body_mass")
        self._com, self._place = b.expand("body_ipos"), b.expand("body_pos")
        self._gain, self._bias = b.expand("actuator_gainprm"), b.expand("actuator_biasprm")
        self.delay = np.zeros(config.num_envs, dtype=np.int64)
        """Physics steps between a command and the joints, (N,)."""

    def ee_pose(self) -> tuple[Array, Array]:
        """Return position (N, 3), m, and rotation (N, 3, 3) of ee_link in base_link.

        Derived fields are one physics step old, base and tool alike: their difference is consistent.
        """
        base = self._xmat[:, self._base].reshape(-1, 3, 3)
        position = np.einsum("nji,nj->ni", base, self._site[:, self._ee] - self._xpos[:, self._base])
        rotation = np.einsum("nji,njk->nik", base, self._site_xmat[:, self._ee].reshape(-1, 3, 3))
        return position, rotation

    def foot_position(self) -> Array:
        """Return horizontal positions of the feet in the world, m, (N, 4, 2)."""
        return self._site[:, self._feet, :2].copy()

    def foot_contact(self) -> NDArray[np.bool_]:
        """Return which feet press on the ground with more than 1 N, (N, 4)."""
        return self._sensors[:, self._touch] > 1.0

    def reset(self, ids: Ids) -> None:
        """Put robots into the stand pose with freshly drawn bodies and motors; the caller runs `batch.forward`."""
        rng, n, r, model = self._rng, ids.size, self.config.randomization, self.model
        self.batch.reset(ids, keyframe=self._stand_key, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self._friction[ids[:, None], self._foot_geoms, 0] = rng.uniform(*r.friction, (n, 1))
        self._mass[ids, self._base] = model.body_mass[self._base] + rng.uniform(*r.base_mass, n)
        self._mass[ids, self._hand] = model.body_mass[self._hand] + rng.uniform(*r.payload, n)
        self._com[ids, self._base] = model.body_ipos[self._base] + rng.uniform(-r.com_offset, r.com_offset, (n, 3))
        shift = rng.uniform(-r.mount_offset, r.mount_offset, (n, 3))
        self._place[ids, self._mount] = model.body_pos[self._mount] + shift
        strength = rng.uniform(*r.motor_strength, (n, NUM_JOINTS))
        kp = strength * rng.uniform(*r.kp_scale, (n, 1))
        kd = strength * rng.uniform(*r.kd_scale, (n, 1))
        self._gain[ids, :, 0] = kp * model.actuator_gainprm[:, 0]
        self._bias[ids, :, 1] = kp * model.actuator_biasprm[:, 1]
        self._bias[ids, :, 2] = kd * model.actuator_biasprm[:, 2]
        self.delay[ids] = np.round(rng.uniform(*r.delay, n) / self.config.physics_timestep)
