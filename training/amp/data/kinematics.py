"""Where the parts of a robot are in given poses: what grounding, checks and inverse kinematics need."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..motion import Motion
from ..robot import RobotConfig, robot_model

Array = NDArray[np.float64]

FAR = 10.0
"""m; distances to the floor are measured up to here."""


class RobotKinematics:
    """A robot of the steering task, moved by hand.

    Args:
        config: the robot.

    Raises:
        ConfigError: its model is missing or lacks what it names.
    """

    def __init__(self, config: RobotConfig) -> None:
        self.config = config
        self.model = model = robot_model(config)
        self.data = mujoco.MjData(model)
        scalar = [i for i in range(model.njnt) if model.jnt_type[i] != mujoco.mjtJoint.mjJNT_FREE]
        self.joints = tuple(model.joint(i).name for i in scalar)
        """All scalar joints, in the model's order."""
        self._places = model.jnt_qposadr[scalar]
        key = model.key(config.keyframe).qpos if config.keyframe else model.qpos0
        self.home: Array = np.array(key)[self._places]
        """Of the joints, rad, (J,)."""
        limited = model.jnt_limited[scalar].astype(bool)
        self.lower: Array = np.where(limited, model.jnt_range[scalar, 0], -np.inf)
        self.upper: Array = np.where(limited, model.jnt_range[scalar, 1], np.inf)
        self.keys = config.key_sites + config.key_bodies
        """Names of the parts that `points` and `heights` are about."""
        self._sites = [model.site(name).id for name in config.key_sites]
        self._bodies = [model.body(name).id for name in config.key_bodies]
        floors = [i for i in range(model.ngeom) if model.geom_type[i] == mujoco.mjtGeom.mjGEOM_PLANE]
        self._floor = floors[0] if floors else -1
        solid = [
            i for i in range(model.ngeom) if i not in floors and (model.geom_contype[i] or model.geom_conaffinity[i])
        ]
        of_keys = [int(model.site_bodyid[site]) for site in self._sites] + self._bodies
        self._key_geoms = [[i for i in solid if model.geom_bodyid[i] == body] for body in of_keys]
        self._solid = solid

    def pose(self, qpos: Array) -> None:
        """Put the model into a pose: root and joints, (7 + J,), in the order of `joints`."""
        self.data.qpos[:7], self.data.qpos[self._places] = qpos[:7], qpos[7:]
        mujoco.mj_kinematics(self.model, self.data)

    def points(self) -> Array:
        """Return the key parts in the world, m, (K, 3), in the present pose."""
        return np.concatenate([self.data.site_xpos[self._sites], self.data.xpos[self._bodies]])

    def heights(self) -> Array:
        """Return the clearance between the floor and what collides of each key part, m, (K,), in the present pose."""
        return np.array([self._clearance(geoms) for geoms in self._key_geoms])

    def lowest(self) -> float:
        """Return the clearance of the whole robot, m, in the present pose; negative inside the floor."""
        return self._clearance(self._solid)

    def _clearance(self, geoms: list[int]) -> float:
        if self._floor < 0:
            return FAR
        distance = mujoco.mj_geomDistance
        return min((distance(self.model, self.data, self._floor, i, FAR, None) for i in geoms), default=FAR)

    def traces(self, motion: Motion) -> tuple[Array, Array, Array]:
        """Return key positions (T, K, 3), their clearances (T, K) and the robot's (T,), m, over a motion."""
        count = len(motion.qpos)
        points, heights, lowest = (
            np.empty((count, len(self.keys), 3)),
            np.empty((count, len(self.keys))),
            np.empty(count),
        )
        for frame, qpos in enumerate(motion.select(self.joints).qpos):
            self.pose(qpos)
            points[frame], heights[frame], lowest[frame] = self.points(), self.heights(), self.lowest()
        return points, heights, lowest
