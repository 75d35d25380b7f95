"""Settings of the planner. The defaults here are the only copy.

Sources
    [D] the document's parameters (issue 4).
    [R] trials of the reduced planner in closed loop: `v2`, 1.8 mm, no falls.
    [A] assumed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .coordinates import NUM_COORDINATES

SPLINES = ("zero", "linear", "cubic")
RETURNED = ("mean", "best")
LONGEST_HORIZON = 10.0
"""s; the planted feet are no model of the world for longer."""
MOST_NUMBERS = 20_000_000
"""Samples x knots x 12 above which a plan fits neither memory nor time, and the number most likely is a slip."""
LARGEST = 1e12
"""Of any number here; what is above it is a slip."""
SMALLEST = 1e-9
"""Of lengths and angles that must not vanish: well above what single precision rounds to 0."""

_TOLERANCE = 1e-6


class SettingsError(ValueError):
    """A setting cannot work; one line says which, why and what would."""


@dataclass(frozen=True)
class PlannerSettings:
    """What the planner searches and how; SI units. Raises SettingsError, in one line, if it cannot work."""

    num_samples: int = 500
    """Trajectories in each iteration. [D]"""
    num_elites: int = 20
    """Best of them, which form the next mean. [D]"""
    plan_horizon: float = 0.5
    """s; a whole number of `time_step`. [D]"""
    num_knots: int = 4
    """Of the spline of each coordinate. [D]"""
    iterations: int = 1
    """Of sampling in each plan; 4 sharpen the orientation of the end-effector. [D] [R]"""
    frequency: float = 50.0
    """Plans in a second, Hz. [D]"""
    spline: str = "linear"
    """"zero", "linear" or "cubic". [R] cubic costs 9 % more."""
    time_step: float = 0.02
    """s of the rollouts. [R]"""
    seed: int = 0
    """Of the noise."""
    returned: str = "mean"
    """"mean" of the elites or "best" sample. A mean of fewer than all elites never is returned. [R] mean; the best of
    few samples makes the trunk sway."""

    smoothing: float = 0.3
    """Share of the old sigma in the new one, 0 to below 1. [R]"""
    mean_smoothing: float = 0.0
    """The same of the mean; 0 takes the elites' mean as it is. [R]"""
    prior_share: float = 0.1
    """Of the samples that are drawn around a prior, where there is one. [A] gpc draws 10 to 25 %."""
    prior_spread: float = 0.5
    """Sigma around the prior, times the present sigma. [A]"""

    sigma_trunk_position: float = 0.01
    """m, first sigma. [R]"""
    sigma_trunk_rotation: float = 0.025
    """rad. [R]"""
    sigma_arm: float = 0.15
    """rad. [R]"""
    floor_trunk_position: float = 0.004
    """m, least sigma far from the goal. [R]"""
    floor_trunk_rotation: float = 0.01
    """rad. [R]"""
    floor_arm: float = 0.06
    """rad. [R]"""
    floor_near: float = 0.12
    """Of the floor that is left at the goal. [R]"""
    floor_distance: float = 0.1
    """m between end-effector and goal at the end of the plan, from which on the floor shrinks. [R]"""

    box_x: float = 0.08
    """m to either side of nominal: where knots may lie. [R]"""
    box_y: float = 0.06
    """m. [R]"""
    box_z_down: float = 0.08
    """m. [R]"""
    box_z_up: float = 0.06
    """m. [R]"""
    box_tilt: float = 0.25
    """rad of roll and of pitch. [R]"""
    box_yaw: float = 0.3
    """rad. [R]"""

    def __post_init__(self) -> None:
        self._check_types()
        self._check_counts()
        self._check_times()
        self._check_sampling()

    @property
    def num_steps(self) -> int:
        """Time steps of a rollout."""
        return round(self.plan_horizon / self.time_step)

    @property
    def period(self) -> float:
        """Time between two plans, s."""
        return 1.0 / self.frequency

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> PlannerSettings:
        """Build settings from names and values, such as a parameter file's.

        Raises:
            SettingsError: also where a name is unknown.
        """
        return cls(**known_fields(cls, values, "planner"))

    def _check_types(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type == "str":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise SettingsError(f"planner.{item.name} is {value!r}: it must be a number")
            if item.type == "int" and not isinstance(value, int):
                raise SettingsError(f"planner.{item.name} is {value}: it must be a whole number")
            if not abs(value) < LARGEST:
                raise SettingsError(f"planner.{item.name} is too large or no number: it must be below {LARGEST:g}")
        if self.spline not in SPLINES:
            raise SettingsError(f"planner.spline is {self.spline!r}: it must be one of {', '.join(SPLINES)}")
        if self.returned not in RETURNED:
            raise SettingsError(f"planner.returned is {self.returned!r}: it must be one of {', '.join(RETURNED)}")

    def _check_counts(self) -> None:
        for name in ("num_samples", "num_elites", "num_knots", "iterations"):
            if getattr(self, name) < 1:
                raise SettingsError(f"planner.{name} is {getattr(self, name)}: it must be 1 or more")
        if self.seed < 0:
            raise SettingsError(f"planner.seed is {self.seed}: it must not be negative")
        if self.num_elites > self.num_samples:
            raise SettingsError(
                f"planner.num_elites is {self.num_elites}: there are only {self.num_samples} samples to choose from"
            )
        if self.num_samples * self.num_knots * NUM_COORDINATES > MOST_NUMBERS:
            raise SettingsError(
                f"planner.num_samples is {self.num_samples}: with {self.num_knots} knots at most "
                f"{MOST_NUMBERS // (self.num_knots * NUM_COORDINATES)}"
            )

    def _check_times(self) -> None:
        for name in ("plan_horizon", "time_step", "frequency"):
            if not getattr(self, name) > 0.0:
                raise SettingsError(f"planner.{name} is {getattr(self, name)}: it must be above 0")
        if self.plan_horizon > LONGEST_HORIZON:
            raise SettingsError(f"planner.plan_horizon is {self.plan_horizon} s: at most {LONGEST_HORIZON:g} s")
        steps = self.plan_horizon / self.time_step
        if steps > 10_000:
            raise SettingsError(f"planner.time_step is {self.time_step} s: at most 10000 fit into the horizon")
        if round(steps) < 1 or abs(steps - round(steps)) > _TOLERANCE * max(steps, 1.0):
            whole = max(round(steps), 1) * self.time_step
            raise SettingsError(
                f"planner.plan_horizon is {self.plan_horizon} s: it must be a whole number of time_step "
                f"({self.time_step} s), such as {whole:.6g} s"
            )
        if self.num_knots > self.num_steps:
            raise SettingsError(
                f"planner.num_knots is {self.num_knots}: a horizon of {self.num_steps} time steps takes no more than "
                f"{self.num_steps}"
            )
        if self.period > self.plan_horizon * (1.0 + _TOLERANCE):
            raise SettingsError(
                f"planner.frequency is {self.frequency} Hz: a plan of {self.plan_horizon} s would end before the next "
                f"one; at least {1.0 / self.plan_horizon:.3g} Hz"
            )

    def _check_sampling(self) -> None:
        for name in ("smoothing", "mean_smoothing", "prior_share"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise SettingsError(f"planner.{name} is {getattr(self, name)}: it must be from 0 to below 1")
        for item in fields(self):
            if item.name.startswith(("sigma_", "floor_", "box_", "prior_spread")):
                value = getattr(self, item.name)
                if value < SMALLEST:
                    raise SettingsError(f"planner.{item.name} is {value}: it must be above 0, at least {SMALLEST:g}")
        if self.floor_near > 1.0:
            raise SettingsError(f"planner.floor_near is {self.floor_near}: it is a share, at most 1")
        for part in ("trunk_position", "trunk_rotation", "arm"):
            sigma, floor = getattr(self, f"sigma_{part}"), getattr(self, f"floor_{part}")
            if floor > sigma:
                raise SettingsError(f"planner.floor_{part} is {floor}: it must not be above sigma_{part} ({sigma})")


def known_fields(kind: type, values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the values as a dictionary if each name is a field of a dataclass.

    Args:
        kind: the dataclass.
        values: names and values.
        prefix: what stands before a name in an error.

    Raises:
        SettingsError: with the nearest name, for one that is unknown.
    """
    known = [item.name for item in fields(kind)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; do you mean {near[0]}?" if near else ""
            raise SettingsError(f"{prefix}.{name} is unknown{hint}")
    return dict(values)
