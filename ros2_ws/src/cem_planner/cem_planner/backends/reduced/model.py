"""The reduced-order robot in JAX: lags, forward kinematics of the arm, leg inverse kinematics, centre of mass.

Scalars of a batch are kept in separate arrays (structure of arrays) rather than in vectors and matrices: XLA then fuses
a rollout into loops over contiguous batches, several times faster on a CPU than stacked 3x3 products.

Masses and lengths come from the link table. The legs' centre of mass is taken as fixed to the trunk (at the stand
pose), which costs some millimetres of the whole robot's; the hand's is on the axis of the gripper.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from go2_piper_description.joints import ARM_JOINT_NAMES, LEG_JOINT_NAMES, LEG_SLICE, LEGS, joint_array
from go2_piper_description.links import (
    ARM_BASE_LINK,
    BASE_LINK,
    EE_LINK,
    FRAMES,
    THIGH_LENGTH,
    TOOL_LENGTH,
    Link,
    Mount,
    robot_links,
)
from jax import Array as JaxArray
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ... import leg_kinematics
from ...coordinates import NUM_COORDINATES
from ...lag import LagParameters
from ...stance import NOMINAL_TRUNK

Array = NDArray[np.float64]
Vector = tuple[JaxArray, JaxArray, JaxArray]


# --- lag -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Response:
    """Trajectories as linear functions of the initial state and the commands; no loop over time is left to do.

    With x, v of shape (12,), knots of shape (K, 12) and the offset d, coordinate i is at the end of step t at
    `free[t, i] @ (x_i, v_i) + forced[t, :, i] @ knots[:, i] + held[t, i] * d_i`.
    """

    free: Array
    """shape (T, 12, 2)."""
    forced: Array
    """shape (T, K, 12)."""
    held: Array
    """shape (T, 12)."""


def responses(lag: LagParameters, basis: Array, time_step: float) -> tuple[Response, Response]:
    """Return the responses of positions and of velocities.

    Args:
        lag: of the coordinates.
        basis: commands at the middle of each step from knots, shape (T, K); held over the step.
        time_step: s.
    """
    step = lag.discrete(time_step)
    num_knots = basis.shape[1]
    power = np.broadcast_to(np.eye(2), (NUM_COORDINATES, 2, 2))
    forced, held = np.zeros((NUM_COORDINATES, 2, num_knots)), np.zeros((NUM_COORDINATES, 2))
    frees, forceds, helds = [], [], []
    for row in basis:
        power = step.transition @ power
        forced = step.transition @ forced + (step.drive * lag.gain[:, None])[..., None] * row
        held = np.einsum("iab,ib->ia", step.transition, held) + step.drive
        frees.append(power)
        forceds.append(forced)
        helds.append(held)
    free, forced, held = np.array(frees), np.array(forceds), np.array(helds)
    position, velocity = (
        Response(free[:, :, part], np.moveaxis(forced[:, :, part], 1, 2), held[:, :, part]) for part in (0, 1)
    )
    return position, velocity


# --- constants -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ArmShape:
    """What the forward kinematics and the centre of mass need of the arm, from the link table. m, rad, kg."""

    mount: Array
    """Of the arm's base in `base_link`, shape (3,)."""
    turn: Array
    """Rotation `base_link` <- arm base, shape (3, 3)."""
    shoulder: Array
    """Joint 2 in the arm's base frame, shape (3,)."""
    upper: float
    fore: float
    fore_angle: float
    zero2: float
    zero3: float
    wrist_to_ee: float
    tool_turn: Array
    """Rotation link 6 <- `ee_link`, about z, shape (3, 3)."""
    fixed_moment: Array
    """Sum of mass times position in `base_link` of all that does not move with the arm, kg m, shape (3,)."""
    upper_mass: float
    upper_com: Array
    """In frame 2, x along the upper arm, shape (2,)."""
    fore_mass: float
    fore_com: Array
    """In frame 3, shape (2,)."""
    hand_mass: float
    """Links 4 to 6 with the gripper."""
    hand_com: float
    """From the wrist along the gripper's axis."""
    total_mass: float


def arm_shape(mount: Mount | None = None) -> ArmShape:
    """Read the arm from the link table."""
    links = {link.name: link for link in robot_links(mount)}
    base, arm = links[ARM_BASE_LINK], [next(x for x in links.values() if x.joint == name) for name in ARM_JOINT_NAMES]
    tool = next(frame for frame in FRAMES if frame.name == EE_LINK)
    turn = Rotation.from_euler("xyz", base.rpy).as_matrix()
    second, third = (Rotation.from_euler("xyz", arm[i].rpy).as_matrix() for i in (1, 2))
    a, d = arm[3].xyz[0], -arm[3].xyz[1]
    fingers = [link for link in links.values() if link.name.startswith("piper_finger")]
    flange = -arm[5].xyz[1]
    along = [
        (arm[3].mass, 0.0),
        (arm[4].mass, -arm[4].com[1]),
        (arm[5].mass, flange + arm[5].com[2]),
        *((finger.mass, flange + TOOL_LENGTH + finger.com[1]) for finger in fingers),
    ]
    hand = sum(mass for mass, _ in along)
    # link 1 turns about its own axis, on which its mass lies
    column = np.asarray(arm[0].xyz) + [0.0, 0.0, arm[0].com[2]]
    moment = base.mass * (np.asarray(base.xyz) + turn @ base.com)
    moment = moment + arm[0].mass * (np.asarray(base.xyz) + turn @ column) + _trunk_moment(links)
    return ArmShape(
        mount=np.asarray(base.xyz), turn=turn, shoulder=np.asarray(arm[0].xyz), upper=arm[2].xyz[0],
        fore=float(np.hypot(a, d)), fore_angle=float(np.arctan2(d, a)),
        zero2=float(np.arctan2(-second[2, 0], second[0, 0])), zero3=float(np.arctan2(third[1, 0], third[0, 0])),
        wrist_to_ee=flange + tool.xyz[2], tool_turn=Rotation.from_euler("xyz", tool.rpy).as_matrix(),
        fixed_moment=moment, upper_mass=arm[1].mass, upper_com=np.asarray(arm[1].com[:2]), fore_mass=arm[2].mass,
        fore_com=np.asarray(arm[2].com[:2]), hand_mass=hand, hand_com=sum(m * x for m, x in along) / hand,
        total_mass=sum(link.mass for link in links.values()),
    )  # fmt: skip


def _trunk_moment(links: dict[str, Link]) -> Array:
    """Return mass times position of the trunk and of the legs in the stand pose, kg m in `base_link`, shape (3,)."""
    stand = dict(zip(LEG_JOINT_NAMES, joint_array("stand")[LEG_SLICE], strict=True))
    trunk = links[BASE_LINK]
    moment = trunk.mass * np.asarray(trunk.com)
    for leg in LEGS:
        place, turn = np.zeros(3), np.eye(3)
        for part in ("hip", "thigh", "calf"):
            link = links[f"{leg}_{part}"]
            place = place + turn @ link.xyz
            angle = stand[f"{leg}_{part}_joint"]
            turn = turn @ Rotation.from_rotvec(angle * np.asarray(link.axis)).as_matrix()
            moment = moment + link.mass * (place + turn @ link.com)
    return moment


# --- kinematics ------------------------------------------------------------------------------------------------------


def sincos(angle: JaxArray) -> tuple[JaxArray, JaxArray]:
    """Return sine and cosine together, to 1e-6 up to some turns.

    XLA's own cost 9 ns each on a CPU, and a plan needs 225 000 of them; these polynomials vectorise to 2 ns.
    """
    quarter = jnp.round(angle * (2.0 / np.pi))
    r = angle - quarter * np.float32(np.pi / 2.0)
    square = r * r
    sine = r * (1.0 + square * (-1.0 / 6.0 + square * (1.0 / 120.0 - square / 5040.0)))
    cosine = 1.0 + square * (-0.5 + square * (1.0 / 24.0 + square * (-1.0 / 720.0 + square / 40320.0)))
    turn = quarter.astype(jnp.int32)
    swapped = (turn & 1) != 0
    s, c = jnp.where(swapped, cosine, sine), jnp.where(swapped, sine, cosine)
    return jnp.where((turn & 2) != 0, -s, s), jnp.where(((turn + 1) & 2) != 0, -c, c)


@dataclass(frozen=True)
class ArmPoints:
    """Points and directions of the arm in `base_link`; each component has the batch's shape."""

    elbow: Vector
    wrist: Vector
    ee: Vector
    x_axis: Vector
    """Of `ee_link`."""
    y_axis: Vector
    z_axis: Vector
    moment: Vector
    """Mass times position of the whole robot, kg m."""


def arm_points(shape: ArmShape, q: tuple[JaxArray, ...]) -> ArmPoints:
    """Return where the arm is for six joint positions, rad, each of the batch's shape."""
    s1, c1 = sincos(q[0])
    e2 = -q[1] - shape.zero2
    e3 = e2 - q[2] - shape.zero3
    (s2, c2), (s3, c3) = sincos(e2), sincos(e3)
    ca, sa = float(np.cos(shape.fore_angle)), float(np.sin(shape.fore_angle))
    elbow_flat, elbow_up = shape.upper * c2, shape.upper * s2
    wrist_flat = elbow_flat + shape.fore * (c3 * ca - s3 * sa)
    wrist_up = elbow_up + shape.fore * (s3 * ca + c3 * sa)

    (s4, c4), (s5, c5), (s6, c6) = sincos(q[3]), sincos(q[4]), sincos(q[5])
    # Rz(q4) Ry(q5) Rz(q6) in the forearm's axes (forward, side, along)
    x6 = (c4 * c5 * c6 - s4 * s6, s4 * c5 * c6 + c4 * s6, -s5 * c6)
    y6 = (-c4 * c5 * s6 - s4 * c6, -s4 * c5 * s6 + c4 * c6, s5 * s6)
    z6 = (c4 * s5, s4 * s5, c5)

    def from_forearm(v: Vector) -> Vector:
        flat, up = v[0] * c3 - v[2] * s3, v[0] * s3 + v[2] * c3
        return flat * c1 - v[1] * s1, flat * s1 + v[1] * c1, up

    x6, y6, z6 = from_forearm(x6), from_forearm(y6), from_forearm(z6)
    t = shape.tool_turn
    x_axis = _mix((x6, y6, z6), t[:, 0])
    y_axis = _mix((x6, y6, z6), t[:, 1])

    def place(flat: JaxArray, up: JaxArray) -> Vector:
        return flat * c1 + shape.shoulder[0], flat * s1 + shape.shoulder[1], up + shape.shoulder[2]

    elbow, wrist = place(elbow_flat, elbow_up), place(wrist_flat, wrist_up)
    ee = _add(wrist, z6, shape.wrist_to_ee)
    (x2, y2), (x3, y3) = shape.upper_com, shape.fore_com
    upper = place(x2 * c2 + y2 * s2, x2 * s2 - y2 * c2)
    fore = place(elbow_flat + x3 * c3 + y3 * s3, elbow_up + x3 * s3 - y3 * c3)
    hand = _add(wrist, z6, shape.hand_com)

    def to_base(v: Vector) -> Vector:
        return _translate(_constant_rotate(shape.turn, v), shape.mount)

    upper, fore, hand = to_base(upper), to_base(fore), to_base(hand)
    moment = tuple(
        shape.upper_mass * upper[i] + shape.fore_mass * fore[i] + shape.hand_mass * hand[i] + shape.fixed_moment[i]
        for i in range(3)
    )
    return ArmPoints(
        to_base(elbow), to_base(wrist), to_base(ee), _constant_rotate(shape.turn, x_axis),
        _constant_rotate(shape.turn, y_axis), _constant_rotate(shape.turn, z6),
        (moment[0], moment[1], moment[2]),
    )  # fmt: skip


def rotation_rows(roll: JaxArray, pitch: JaxArray, yaw: JaxArray) -> tuple[Vector, Vector, Vector]:
    """Return the rows of R = Rz(yaw) Ry(pitch) Rx(roll), each entry of the batch's shape."""
    (sr, cr), (sp, cp), (sy, cy) = sincos(roll), sincos(pitch), sincos(yaw)
    return (
        (cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr),
        (sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr),
        (-sp, cp * sr, cp * cr),
    )


def rotate(rows: tuple[Vector, Vector, Vector], v: Vector) -> Vector:
    """Return R v."""
    x, y, z = (row[0] * v[0] + row[1] * v[1] + row[2] * v[2] for row in rows)
    return x, y, z


def rotate_back(rows: tuple[Vector, Vector, Vector], v: Vector) -> Vector:
    """Return R^T v."""
    x, y, z = (rows[0][i] * v[0] + rows[1][i] * v[1] + rows[2][i] * v[2] for i in range(3))
    return x, y, z


def trunk_position(offset: Vector) -> Vector:
    """Return the trunk's position in the stance frame, m, from its offset."""
    return _translate(offset, NOMINAL_TRUNK)


def leg_inverse(foot: Vector, leg: int) -> Vector:
    """Return hip, thigh and calf, rad, not limited to their ranges: the twin of `leg_kinematics.inverse` for one leg.

    Args:
        foot: m in `base_link`, entries of the batch's shape.
        leg: 0 to 3, canonical order.
    """
    hip_place, d = leg_kinematics.HIPS[leg], float(leg_kinematics.HIP_OFFSETS[leg])
    shank = leg_kinematics.SHANK
    x, y, z = foot[0] - hip_place[0], foot[1] - hip_place[1], foot[2] - hip_place[2]
    down = -jnp.sqrt(jnp.maximum(y * y + z * z - d * d, 0.0))
    hip = jnp.arctan2(z, y) - jnp.arctan2(down, d)
    cosine = (x * x + down * down - THIGH_LENGTH**2 - shank**2) / (2.0 * THIGH_LENGTH * shank)
    cosine = jnp.clip(cosine, -1.0, 1.0)
    knee = -jnp.arccos(cosine)
    sine = -jnp.sqrt(1.0 - cosine * cosine)
    thigh = jnp.arctan2(-x, -down) - jnp.arctan2(shank * sine, THIGH_LENGTH + shank * cosine)
    return hip, thigh, knee - leg_kinematics.SHANK_ANGLE


def leg_length_squared(foot: Vector, leg: int) -> JaxArray:
    """Return the squared distance from the thigh joint's axis to the foot, m2: what bends the knee."""
    hip_place, d = leg_kinematics.HIPS[leg], float(leg_kinematics.HIP_OFFSETS[leg])
    x, y, z = foot[0] - hip_place[0], foot[1] - hip_place[1], foot[2] - hip_place[2]
    return x * x + y * y + z * z - d * d


def _mix(axes: tuple[Vector, Vector, Vector], weights: Array) -> Vector:
    """Return a constant mixture of three vectors; terms with weight zero vanish."""
    used = [(axis, float(w)) for axis, w in zip(axes, weights, strict=True) if abs(w) > 1e-12]
    x, y, z = (sum(w * axis[i] for axis, w in used) for i in range(3))
    return jnp.asarray(x), jnp.asarray(y), jnp.asarray(z)


def _constant_rotate(rotation: Array, v: Vector) -> Vector:
    if np.allclose(rotation, np.eye(3), atol=1e-12):
        return v
    x, y, z = (sum(float(rotation[i, j]) * v[j] for j in range(3)) for i in range(3))
    return jnp.asarray(x), jnp.asarray(y), jnp.asarray(z)


def _translate(v: Vector, by: Array) -> Vector:
    return v[0] + float(by[0]), v[1] + float(by[1]), v[2] + float(by[2])


def _add(v: Vector, direction: Vector, length: float) -> Vector:
    return v[0] + length * direction[0], v[1] + length * direction[1], v[2] + length * direction[2]
