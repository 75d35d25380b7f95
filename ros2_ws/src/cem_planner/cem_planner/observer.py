"""Estimate of where the coordinates rest beside their commands: a payload, weak gains, a wrong mass.

A lag model runs freely beside the robot, driven by the same commands. What separates them at rest is the offset. The
estimate learns only while both stand still: learning during motion takes lag errors for offsets, and the planner then
pumps the trunk (in the reduced planner's trials 77 mm at worst, ungated).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .coordinates import ARM_SLICE_12, NUM_COORDINATES, TRUNK_POSITION_SLICE, TRUNK_ROTATION_SLICE
from .lag import LagParameters
from .problem import PlanState

Array = NDArray[np.float64]


def _limits() -> Array:
    limits = np.empty(NUM_COORDINATES)
    limits[TRUNK_POSITION_SLICE], limits[TRUNK_ROTATION_SLICE], limits[ARM_SLICE_12] = 0.04, 0.1, 0.2
    return limits


@dataclass(frozen=True)
class ObserverParameters:
    """How quickly the estimate learns and how far it may go. Raises ValueError if that cannot work."""

    time_constant: float = 0.2
    """s in which a robot at rest is learnt. From the reduced planner's trials."""
    still_velocity: float = 0.1
    """m/s and rad/s at which learning has dropped to 1/e. From the same trials."""
    limits: Array = field(default_factory=_limits)
    """Largest estimate, m and rad, shape (12,). Assumed; 0.5 kg in the gripper takes up to a fifth of the arm's."""

    def __post_init__(self) -> None:
        for name in ("time_constant", "still_velocity"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0.0):
                raise ValueError(f"observer.{name} is {value}: it must be finite and above 0")
        if np.shape(self.limits) != (NUM_COORDINATES,) or not (np.asarray(self.limits) >= 0.0).all():
            raise ValueError(f"observer.limits must be {NUM_COORDINATES} numbers, none negative")


@dataclass(frozen=True)
class ObserverState:
    """Model and estimate."""

    position: Array
    """Of the free-running model, m and rad, shape (12,)."""
    velocity: Array
    """Of the model, m/s and rad/s, shape (12,)."""
    offset: Array
    """The estimate, m and rad, shape (12,): an argument of the planner (`Problem.offset`)."""

    @classmethod
    def start(cls, position: Array) -> ObserverState:
        """Begin at rest at a position, shape (12,), without an offset."""
        zeros = np.zeros(NUM_COORDINATES)
        return cls(np.array(position, dtype=np.float64), zeros, zeros)


def observe(
    state: ObserverState,
    measured: PlanState,
    command: Array,
    dt: float,
    lag: LagParameters,
    parameters: ObserverParameters | None = None,
) -> ObserverState:
    """Return model and estimate one time step on.

    Args:
        state: before.
        measured: at the step's end. Where it is not finite the model runs on and nothing is learnt.
        command: in force during the step, m and rad, shape (12,).
        dt: s, above 0.
        lag: of the coordinates.
        parameters: rates and limits; None takes the defaults.
    """
    p = parameters or ObserverParameters()
    position, velocity = lag.discrete(dt).apply(state.position, state.velocity, lag.gain * command)
    error = measured.position - position - state.offset
    speed = (measured.velocity**2 + velocity**2) / p.still_velocity**2
    step = min(dt / p.time_constant, 1.0) * np.exp(-speed) * error
    offset = np.clip(state.offset + np.where(np.isfinite(step), step, 0.0), -p.limits, p.limits)
    return ObserverState(position, velocity, offset)
