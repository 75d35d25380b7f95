"""A picture of the robot in a given pose, rendered off screen."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from go2_piper_description.mjcf import build_mjcf
from numpy.typing import NDArray
from robot_bridge.types import Array

from .ghost import add, pose
from .gl import RenderError, choose_offscreen
from .model import RobotModel, load_model

Image = NDArray[np.uint8]
_TARGET_RADIUS = 0.025
_TARGET_COLOR = (0.95, 0.35, 0.10, 0.9)


@dataclass(frozen=True)
class View:
    """Where the camera is: it looks at a point relative to the base, from a distance in m, angles in degrees."""

    lookat: tuple[float, float, float] = (0.12, 0.0, 0.02)
    distance: float = 1.75
    azimuth: float = 145.0
    elevation: float = -16.0
    follow: float = 1.0
    """1: the camera moves with the base; 0: it stays."""


class RobotScene:
    """The robot, moved by hand, with an optional target ball."""

    def __init__(self, width: int = 960, height: int = 540, view: View | None = None, *, fine: bool = True) -> None:
        """Open a renderer.

        Args:
            width: pixels, up to 1920.
            height: pixels, up to 1080.
            view: camera; None for the default.
            fine: smooth edges and sharp shadows, for pictures; a frame takes three times as long in software.

        Raises:
            RenderError: in one line, if there is no OpenGL.
        """
        choose_offscreen()
        self.view = view or View()
        self._robot: RobotModel = load_model(mjcf=_lit(build_mjcf(), fine))
        self._data, self._ghost = mujoco.MjData(self._robot.model), mujoco.MjData(self._robot.model)
        self._camera = mujoco.MjvCamera()
        try:
            self._renderer = mujoco.Renderer(self._robot.model, height, width)
        except Exception as error:  # every backend fails in a way of its own: OSError, AttributeError, RuntimeError
            raise RenderError(
                f"OpenGL cannot be opened ({type(error).__name__}: {' '.join(str(error).split())[:120]}): "
                "apt install libosmesa6 and set MUJOCO_GL=osmesa"
            ) from error
        flags = self._renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0  # doubles the time and shows little

    def close(self) -> None:
        """Release the renderer."""
        self._renderer.close()

    def frame(
        self,
        base_position: Array,
        base_orientation: Array,
        joints: Array,
        gripper: float = 0.0,
        target: Array | None = None,
        ghost: tuple[Array, Array, Array] | None = None,
    ) -> Image:
        """Render one picture.

        Args:
            base_position: m in the world, shape (3,).
            base_orientation: quaternion x, y, z, w, shape (4,).
            joints: rad, shape (18,), canonical order.
            gripper: travel of each finger, m.
            target: m in the world, shape (3,), drawn as a ball; None or not finite: no ball.
            ghost: base position, base orientation and joints of a translucent second robot, as those above; None or
                not finite: none.

        Returns:
            RGB, shape (height, width, 3).
        """
        self._pose(base_position, base_orientation, joints, gripper)
        self._renderer.update_scene(self._data, self._camera)
        if target is not None and np.all(np.isfinite(target)):
            self._add_ball(np.asarray(target, dtype=np.float64))
        if ghost is not None and all(np.all(np.isfinite(part)) for part in ghost):
            pose(self._robot, self._ghost, *ghost)
            add(self._renderer.scene, self._robot, self._ghost)
        return np.asarray(self._renderer.render())

    def _pose(self, base_position: Array, base_orientation: Array, joints: Array, gripper: float) -> None:
        robot, data = self._robot, self._data
        data.qpos[robot.base_qpos : robot.base_qpos + 3] = base_position
        data.qpos[robot.base_qpos + 3 : robot.base_qpos + 7] = np.asarray(base_orientation)[[3, 0, 1, 2]]
        data.qpos[robot.joint_qpos] = joints
        if robot.gripper_qpos is not None:
            data.qpos[robot.gripper_qpos : robot.gripper_qpos + 2] = gripper  # the second finger mimics the first
        mujoco.mj_kinematics(robot.model, data)
        mujoco.mj_camlight(robot.model, data)
        view = self.view
        followed = np.asarray(base_position) * (view.follow, view.follow, 0.0) + (0.0, 0.0, 0.28)
        self._camera.lookat[:] = followed + view.lookat
        self._camera.distance = view.distance
        self._camera.azimuth, self._camera.elevation = view.azimuth, view.elevation

    def _add_ball(self, position: Array) -> None:
        scene = self._renderer.scene
        if scene.ngeom >= scene.maxgeom:
            return
        mujoco.mjv_initGeom(
            scene.geoms[scene.ngeom], mujoco.mjtGeom.mjGEOM_SPHERE, np.full(3, _TARGET_RADIUS), position,
            np.eye(3).ravel(), np.array(_TARGET_COLOR, dtype=np.float32),
        )  # fmt: skip
        scene.ngeom += 1


def _lit(mjcf: str, fine: bool) -> str:
    """Return the model under studio lights: a key light with soft shadows, a fill light, a plain floor."""
    spec = mujoco.MjSpec.from_string(mjcf)
    for light in list(spec.worldbody.lights):
        spec.delete(light)
    spec.visual.headlight.ambient = [0.34, 0.34, 0.36]
    spec.visual.headlight.diffuse = [0.18, 0.18, 0.18]
    spec.visual.headlight.specular = [0.05, 0.05, 0.05]
    spec.visual.quality.shadowsize = 4096 if fine else 1024
    spec.visual.quality.offsamples = 4 if fine else 0
    spec.visual.map.shadowscale = 0.5
    spec.visual.map.haze = 0.6
    base = next(body for body in spec.bodies if body.name == "base_link")
    for position, direction, diffuse, shadow in (
        ((0.9, -0.8, 3.6), (-0.24, 0.21, -0.95), 0.62, True),
        ((0.5, 3.0, 1.6), (-0.1, -0.85, -0.5), 0.28, False),
    ):
        base.add_light(
            pos=position, dir=direction, diffuse=[diffuse] * 3, specular=[0.12] * 3, castshadow=shadow,
            type=mujoco.mjtLightType.mjLIGHT_SPOT if shadow else mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACK, cutoff=70.0, exponent=2.0, attenuation=[1.0, 0.0, 0.0],
        )  # fmt: skip
    for material in spec.materials:
        if material.name == "floor":
            material.reflectance = 0.0
    text: str = spec.to_xml()
    return text
