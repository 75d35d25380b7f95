"""What a player may tell its user."""

from ..checkpoint import CheckpointError
from ..envs.physics import ModelError
from ..evaluation.settings import EvaluationError
from ..structured import ConfigError
from ..trajectories import TrajectoryError


class PlayError(ValueError):
    """Nothing can be played; one line: what, where, what to do."""


USER_ERRORS = (PlayError, CheckpointError, ConfigError, EvaluationError, ModelError, TrajectoryError)
"""Errors whose message is for the user, without a traceback."""
