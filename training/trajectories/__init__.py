"""End-effector trajectories: what they are, their files, and generators.

`load_trajectories(path)` and `save_trajectories(path, sequences)` read and write lists of `PoseSequence`;
`generate(kind, count, seed)` makes some.
"""

from .files import load_trajectories, save_trajectories
from .generators import generate
from .motion import SpeedLimits
from .sequence import PoseSequence, TrajectoryError

__all__ = ["PoseSequence", "SpeedLimits", "TrajectoryError", "generate", "load_trajectories", "save_trajectories"]
