"""Inverse kinematics over a clip: joints that bring key parts to where they should be."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np
from numpy.typing import NDArray

from .kinematics import RobotKinematics

Array = NDArray[np.float64]

ROUNDS = 20
DAMPING = 1e-4
"""m2, of the damped least squares: keeps steps small where a leg is stretched."""
NEAR = 1e-4
"""m; what counts as there."""
LARGEST_STEP = 0.3
"""rad per round."""


def follow_points(kinematics: RobotKinematics, qpos: Array, targets: Mapping[str, Array]) -> Array:
    """Return poses whose key parts are at the targets, as far as they reach; the root stays.

    Each frame starts at the given pose of its own, so that nothing drifts, and moves as little as it must.

    Args:
        kinematics: of the robot.
        qpos: poses to start from, (T, 7 + J).
        targets: places in the world, m, (T, 3) each, of key sites or bodies.
    """
    model, data = kinematics.model, kinematics.data
    columns = model.jnt_dofadr[[model.joint(name).id for name in kinematics.joints]]
    places = [kinematics.keys.index(name) for name in targets]
    sites = len(kinematics.config.key_sites)
    wanted = np.stack(list(targets.values()), axis=1)
    solved = qpos.copy()
    jacobian = np.zeros((3, model.nv))
    for frame in range(len(qpos)):
        for _ in range(ROUNDS):
            kinematics.pose(solved[frame])
            error = wanted[frame] - kinematics.points()[places]
            if np.abs(error).max() < NEAR:
                break
            mujoco.mj_comPos(model, data)  # Jacobians are taken about the centre of mass
            rows = []
            for place in places:
                name = kinematics.keys[place]
                if place < sites:
                    mujoco.mj_jacSite(model, data, jacobian, None, model.site(name).id)
                else:
                    mujoco.mj_jacBody(model, data, jacobian, None, model.body(name).id)
                rows.append(jacobian[:, columns].copy())
            j = np.concatenate(rows)
            step = j.T @ np.linalg.solve(j @ j.T + DAMPING * np.eye(len(j)), error.reshape(-1))
            step *= min(1.0, LARGEST_STEP / max(np.abs(step).max(), 1e-12))
            solved[frame, 7:] = np.clip(solved[frame, 7:] + step, kinematics.lower, kinematics.upper)
    return solved
