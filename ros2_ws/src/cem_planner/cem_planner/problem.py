"""What a plan is asked for: state, goal and what was commanded before, in the coordinates of the plan."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from go2_piper_description.joints import ARM_SLICE, joint_array
from numpy.typing import NDArray

from .coordinates import NUM_COORDINATES

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PlanState:
    """Where the robot is and how it moves, in the plan's coordinates."""

    position: Array
    """m and rad, shape (12,)."""
    velocity: Array
    """m/s and rad/s, shape (12,)."""


@dataclass(frozen=True)
class Goal:
    """Pose that `ee_link` is to take, in the stance frame."""

    position: Array
    """m, shape (3,)."""
    rotation: Array = field(default_factory=lambda: np.eye(3))
    """Rotation matrix stance frame <- `ee_link`, shape (3, 3)."""
    orientation_weight: float = 0.0
    """Of the orientation term against the position; 0 leaves the orientation free, 0.3 is a good value where it counts.
    """
    posture: Array = field(default_factory=lambda: joint_array("stand")[ARM_SLICE])
    """Of the arm, from which the posture term counts, rad, shape (6,)."""
    posture_factor: float = 1.0
    """Times the posture term."""


@dataclass(frozen=True)
class Problem:
    """One planning problem."""

    state: PlanState
    goal: Goal
    previous_command: Array
    """The command in force at the state's time, m and rad, shape (12,)."""
    offset: Array
    """Estimated offset of the state from the command at rest (payload, weak gains), m and rad, shape (12,)."""
    feet: Array
    """Planted feet in the stance frame, m, shape (4, 3), order FL, FR, RL, RR."""
    feet_now: Array | None = None
    """Where the feet are measured to be, as `feet`; backends with full physics start from there. None: where planted.
    """

    def fault(self) -> str | None:
        """Return, in one line, why no plan can be made of this; None if one can."""
        shapes = (
            ("state.position", self.state.position, (NUM_COORDINATES,)),
            ("state.velocity", self.state.velocity, (NUM_COORDINATES,)),
            ("goal.position", self.goal.position, (3,)),
            ("goal.rotation", self.goal.rotation, (3, 3)),
            ("goal.orientation_weight", self.goal.orientation_weight, ()),
            ("goal.posture", self.goal.posture, (6,)),
            ("goal.posture_factor", self.goal.posture_factor, ()),
            ("previous_command", self.previous_command, (NUM_COORDINATES,)),
            ("offset", self.offset, (NUM_COORDINATES,)),
            ("feet", self.feet, (4, 3)),
            ("feet_now", self.feet if self.feet_now is None else self.feet_now, (4, 3)),
        )
        for name, value, shape in shapes:
            if np.shape(value) != shape:
                return f"{name} has shape {np.shape(value)}: it must be {shape}"
        if np.isfinite(np.concatenate([np.ravel(value) for _, value, _ in shapes])).all():
            return None
        return next(f"{name} is not finite" for name, value, _ in shapes if not np.isfinite(value).all())
