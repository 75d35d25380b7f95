"""Place and velocity of one foot in `base_link`, in plain floats: at 500 Hz NumPy's overhead would cost more.

The formulas are those of `cem_planner.leg_kinematics`, for one leg and with velocities; a test compares both with
MuJoCo.
"""

from __future__ import annotations

import math

from go2_piper_description.joints import LEGS
from go2_piper_description.links import CALF_LENGTH, FRAMES, HIP_OFFSET, HIP_POSITION, THIGH_LENGTH, leg_signs

Vector = tuple[float, float, float]

_FOOT_X = next(frame for frame in FRAMES if frame.name == "FL_foot").xyz[0]
SHANK = math.hypot(CALF_LENGTH, _FOOT_X)
"""From the calf joint to the foot's centre, m."""
SHANK_ANGLE = math.atan2(-_FOOT_X, CALF_LENGTH)
"""The foot lies this far behind the calf's axis, rad."""
HIPS = tuple((HIP_POSITION[0] * sx, HIP_POSITION[1] * sy, HIP_OFFSET * sy) for sx, sy in map(leg_signs, LEGS))
"""x and y of the hip joint and the offset of the thigh joint along y, m."""


def foot(leg: int, q: tuple[float, float, float], dq: tuple[float, float, float]) -> tuple[Vector, Vector, Vector]:
    """Return where a foot's centre is and how it moves, in `base_link`.

    Args:
        leg: its place in `LEGS`.
        q: hip, thigh, calf, rad.
        dq: rad/s.

    Returns:
        Position, m; velocity, m/s; angular velocity of the calf against the trunk, rad/s.
    """
    hip_x, hip_y, offset = HIPS[leg]
    shank = q[1] + q[2] + SHANK_ANGLE
    turn = dq[1] + dq[2]
    x = -THIGH_LENGTH * math.sin(q[1]) - SHANK * math.sin(shank)
    down = -THIGH_LENGTH * math.cos(q[1]) - SHANK * math.cos(shank)
    vx = -THIGH_LENGTH * math.cos(q[1]) * dq[1] - SHANK * math.cos(shank) * turn
    v_down = THIGH_LENGTH * math.sin(q[1]) * dq[1] + SHANK * math.sin(shank) * turn
    c, s = math.cos(q[0]), math.sin(q[0])
    y, z = offset * c - down * s, offset * s + down * c
    position = (x + hip_x, y + hip_y, z)
    velocity = (vx, -z * dq[0] - v_down * s, y * dq[0] + v_down * c)
    return position, velocity, (dq[0], c * turn, s * turn)
