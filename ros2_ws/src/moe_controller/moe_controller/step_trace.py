"""What a control step was computed from, so that a recording can be replayed to the same numbers. ROS-free.

States and goals come on topics of their own; which of them a step had already seen, only the controller knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True)
class StepTrace:
    """The inputs of one step, by the times that identify them."""

    stamp_ns: int
    """Stamp of the state."""
    step: int
    """Steps since the core began anew; 0: it was reset before this one."""
    executing: bool
    """Whether the gate executed the commands."""
    odometry: bool
    """Whether the state had odometry."""
    goal_ns: int
    """When the end-effector goal in force (`/ee_target` or `/ee_trajectory`) was published; 0: none."""
    velocity_ns: int
    """When the last `/cmd_vel` that was taken was published; 0: none."""

    def numbers(self) -> list[int]:
        """Return the fields as integers, in order."""
        return [int(value) for value in astuple(self)]

    @classmethod
    def from_numbers(cls, numbers: Sequence[int]) -> StepTrace:
        """Return a trace from `numbers`. Raises ValueError."""
        if len(numbers) != len(FIELDS):
            raise ValueError(f"a step has {len(FIELDS)} inputs, not {len(numbers)}")
        stamp, step, executing, odometry, goal, velocity = numbers
        return cls(stamp, step, bool(executing), bool(odometry), goal, velocity)


FIELDS = tuple(field.name for field in fields(StepTrace))
