"""The MuJoCo model that is rolled out: the description's robot, pruned to what a plan of half a second needs.

The world is the stance frame: the feet's centres at height 0, the floor below them. Left are the four feet against the
floor as explicit pairs, no visuals, no dry friction in the joints, and sensors for what the cost needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import mujoco
import numpy as np
from go2_piper_description.joints import JOINT_NAMES, LEGS
from go2_piper_description.links import BASE_LINK, EE_LINK, Mount
from go2_piper_description.mjcf import build_mjcf
from numpy.typing import NDArray

from ...settings import PlannerSettings, SettingsError

Array = NDArray[np.float64]

CONTACT_DEPTH = 0.0009
"""m that the feet of the standing robot sink into the floor on average; measured at steps up to 0.01 s."""
SOLREF_TIME = 0.02
"""s, time constant of MuJoCo's contacts; it never takes less than two time steps, and depth grows with its square."""


@dataclass(frozen=True)
class PhysicsOptions:
    """How rollouts are simulated. Raises SettingsError, in one line, if that cannot work.

    Defaults were measured: error of the end-effector after 0.5 s of random commands against the full model at 5 ms,
    and CPU time (`python -m benchmarks.physics_options`).
    """

    substeps: int = 2
    """Physics steps in each of the planner's time steps. Steps of 0.02 s halve the price and are five times less
    exact: MuJoCo softens contacts with the step, and the feet sink."""
    iterations: int = 5
    """Of Newton's method; with 1 the robot sinks through the floor, beyond 3 most steps end earlier by themselves."""
    ls_iterations: int = 8
    """Of its line search."""
    integrator: str = "implicitfast"
    """"implicitfast" or "euler", which is less accurate at the same price."""
    dry_friction: bool = False
    """Of the joints: predicts three times better and costs a third more."""

    def __post_init__(self) -> None:
        for name in ("substeps", "iterations", "ls_iterations"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingsError(f"physics.{name} is {value!r}: it must be a whole number, 1 or more")
        if self.integrator not in _INTEGRATORS:
            raise SettingsError(f"physics.integrator is {self.integrator!r}: one of {', '.join(_INTEGRATORS)}")


_INTEGRATORS: Mapping[str, mujoco.mjtIntegrator] = MappingProxyType(
    {"implicitfast": mujoco.mjtIntegrator.mjINT_IMPLICITFAST, "euler": mujoco.mjtIntegrator.mjINT_EULER}
)

IN_BASE = ("wrist", "elbow", "ee_in_base", *(f"{leg}_foot_in_base" for leg in LEGS))
AXES = ("ee_x", "ee_y", "ee_z")
SENSORS: tuple[str, ...] = ("ee", *AXES, *(f"{leg}_foot" for leg in LEGS), "com", *IN_BASE)
"""Sensors of three numbers each, before the torques of the 18 joints."""


def rollout_model(
    settings: PlannerSettings, options: PhysicsOptions | None = None, mount: Mount | None = None
) -> mujoco.MjModel:
    """Compile the robot for rollouts.

    Args:
        settings: the time step.
        options: of the simulation; None takes the defaults.
        mount: of the arm on the trunk; None takes the description's.
    """
    options = options or PhysicsOptions()
    spec = mujoco.MjSpec.from_string(build_mjcf(mount, fixed_gripper=True))
    feet = [f"{leg}_foot" for leg in LEGS]
    for geom in list(spec.geoms):
        if geom.name in feet or geom.name == "floor":
            geom.contype = geom.conaffinity = 0  # the pairs below are all that is looked at
        else:
            spec.delete(geom)
    for sensor in list(spec.sensors):
        spec.delete(sensor)
    for joint in spec.joints:
        joint.frictionloss = joint.frictionloss if options.dry_friction else 0.0
    radius, friction = float(spec.geom(feet[0]).size[0]), float(spec.geom(feet[0]).friction[0])
    time_step = settings.time_step / options.substeps
    depth = CONTACT_DEPTH * max(1.0, 2.0 * time_step / SOLREF_TIME) ** 2
    spec.geom("floor").pos = [0.0, 0.0, depth - radius]
    for foot in feet:
        spec.add_pair(geomname1="floor", geomname2=foot, condim=3, friction=[friction, friction, 0.0, 0.0, 0.0])
    _add_sensors(spec)
    option = spec.option
    option.timestep = time_step
    option.integrator = _INTEGRATORS[options.integrator]
    option.solver, option.cone = mujoco.mjtSolver.mjSOL_NEWTON, mujoco.mjtCone.mjCONE_PYRAMIDAL
    option.iterations, option.ls_iterations, option.tolerance = options.iterations, options.ls_iterations, 1e-5
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND  # one robot is one island
    return spec.compile()


def _add_sensors(spec: mujoco.MjSpec) -> None:
    kinds, objects = mujoco.mjtSensor, mujoco.mjtObj
    base = {"reftype": objects.mjOBJ_XBODY, "refname": BASE_LINK}

    def site(name: str, kind: mujoco.mjtSensor, target: str, **more: object) -> None:
        spec.add_sensor(name=name, type=kind, objtype=objects.mjOBJ_SITE, objname=target, **more)

    site("ee", kinds.mjSENS_FRAMEPOS, EE_LINK)
    for name, kind in zip(
        AXES, (kinds.mjSENS_FRAMEXAXIS, kinds.mjSENS_FRAMEYAXIS, kinds.mjSENS_FRAMEZAXIS), strict=True
    ):
        site(name, kind, EE_LINK)
    for leg in LEGS:
        site(f"{leg}_foot", kinds.mjSENS_FRAMEPOS, f"{leg}_foot")
    spec.add_sensor(name="com", type=kinds.mjSENS_SUBTREECOM, objtype=objects.mjOBJ_BODY, objname=BASE_LINK)
    for name, link in (("wrist", "piper_link4"), ("elbow", "piper_link3")):
        spec.add_sensor(name=name, type=kinds.mjSENS_FRAMEPOS, objtype=objects.mjOBJ_XBODY, objname=link, **base)
    site("ee_in_base", kinds.mjSENS_FRAMEPOS, EE_LINK, **base)
    for leg in LEGS:
        site(f"{leg}_foot_in_base", kinds.mjSENS_FRAMEPOS, f"{leg}_foot", **base)
    for name in JOINT_NAMES:
        spec.add_sensor(
            name=f"{name}_torque", type=kinds.mjSENS_ACTUATORFRC, objtype=objects.mjOBJ_ACTUATOR, objname=name
        )
