"""From a far end-effector target to a command for the base: one rule, shared by training and the robot.

The policy knows targets within a sector about the shoulder (`TargetRegion`). A target outside is shown to it moved to
the nearest place it knows, and the base walks: it turns until the target is ahead and goes to a stand-off distance.
While the target is far away or behind, the arm is carried in front of the robot: turning on the spot with the arm held
out to the side, one robot of eight fell.
Vectorised NumPy, leading dimensions are free. The only state is `walking`, passed in and returned, which gives
hysteresis: the base starts later than it stops.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .contract import TargetRegion, VelocityLimits
from .targets import TRUNK_BOX_HIGH, TRUNK_BOX_LOW, from_spherical, in_trunk_box

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class ApproachParams:
    """Numbers of the rule; lengths in m, angles in rad, speeds in m/s and rad/s.

    The region of the shipped policies is 0.25 to 0.55 m, azimuth +-1.2: the start limits lie outside it and the stop
    limits inside it, so that the sway of the gait does not toggle the walking.
    """

    start_radius: float = 0.60
    start_near_radius: float = 0.20
    start_azimuth: float = 1.25
    start_elevation: float = 1.1
    stop_azimuth: float = 0.35
    standoff: float = 0.42
    """Horizontal distance from the shoulder at which the base stops."""
    standoff_low: float = 0.48
    stop_azimuth_low: float = 0.15
    """The same for targets beside the trunk in height: just outside the box that training left out."""
    stop_tolerance: float = 0.03
    low_margin: float = 0.02
    """A target this deep in the trunk box makes the base step back."""
    inner_radius: tuple[float, float] = (0.28, 0.46)
    inner_azimuth: float = 0.6
    inner_elevation: tuple[float, float] = (-0.4, 0.9)
    """The base also stops as soon as the target is in this inner region: the arm does the rest."""
    gain_forward: float = 1.0
    gain_turn: float = 1.5
    max_forward: float = 0.5
    max_backward: float = 0.4
    min_speed: float = 0.15
    """The shipped policy stands through slower commands."""
    max_turn: float = 0.8
    min_turn: float = 0.3
    """The same for turning on the spot: while the base does not go forward, it turns at least this fast."""
    carry_radius: tuple[float, float] = (0.70, 1.10)
    """Between these horizontal distances of the target, and these azimuths, the arm goes from carried to reaching."""
    carry_azimuth: tuple[float, float] = (1.3, 1.8)
    carry_place: tuple[float, float] = (0.55, 0.44)
    """Radius and elevation at which the arm is carried straight ahead: about the end effector of the stand pose."""
    overhead: float = 0.10
    """Closer than this, horizontally, the azimuth says nothing: step back without turning."""


@dataclass(frozen=True)
class Approach:
    """What the rule says, for each target."""

    velocity: Array
    """vx, vy, wz in base_link, shape (..., 3); zeros while not walking."""
    walking: Bools
    """Pass it in again at the next step, shape (...)."""


@dataclass(frozen=True)
class ApproachRule:
    """The rule for one robot and one policy."""

    shoulder: Array
    """Centre of the region in base_link, m, shape (3,): `ArmKinematics().shoulder`."""
    region: TargetRegion = TargetRegion()
    limits: VelocityLimits = VelocityLimits()
    params: ApproachParams = field(default_factory=ApproachParams)

    def project(self, target: Array) -> Array:
        """Return targets moved into the region that the policy was trained on.

        Radius, azimuth and elevation about the shoulder are clamped; then points in the box about the trunk are lifted
        to its top and, where the lift made them too near, pushed out horizontally. Points inside stay where they are.

        Args:
            target: m in base_link, shape (..., 3), finite.
        """
        return self._into_region(target, np.zeros(target.shape[:-1]))

    def show(self, target: Array) -> Array:
        """Return where the policy is told that targets in the world are: as `project`, and carried while far away.

        Args:
            target: m in base_link, shape (..., 3), finite.
        """
        p = self.params
        offset = target - self.shoulder
        far = _ramp(np.hypot(offset[..., 0], offset[..., 1]), p.carry_radius)
        behind = _ramp(np.abs(np.arctan2(offset[..., 1], offset[..., 0])), p.carry_azimuth)
        return self._into_region(target, np.maximum(far, behind))

    def _into_region(self, target: Array, carried: Array) -> Array:
        """Clamp targets; `carried` (...) is 0 where the clamped place counts and 1 where the place of carrying does."""
        region, (carry_radius, carry_elevation) = self.region, self.params.carry_place
        offset = target - self.shoulder
        x, y, z = offset[..., 0], offset[..., 1], offset[..., 2]
        flat = np.hypot(x, y)
        radius, azimuth, elevation = np.hypot(flat, z), np.arctan2(y, x), np.arctan2(z, flat)
        reach = 1.0 - carried
        clamped_radius = (reach * radius.clip(*region.radius) + carried * carry_radius).clip(*region.radius)
        clamped_azimuth = reach * azimuth.clip(*region.azimuth)
        lifted_elevation = reach * elevation.clip(*region.elevation) + carried * carry_elevation
        clamped_elevation = lifted_elevation.clip(*region.elevation)
        inside = (clamped_radius == radius) & (clamped_azimuth == azimuth) & (clamped_elevation == elevation)
        clamped = from_spherical(clamped_radius, clamped_azimuth, clamped_elevation, self.shoulder)
        shown = np.where(inside[..., None], target, clamped)
        in_box = in_trunk_box(shown)
        if not in_box.any():
            return shown
        lift = TRUNK_BOX_HIGH[2] - self.shoulder[2]
        lifted_flat = np.maximum(np.hypot(*np.moveaxis(shown[..., :2] - self.shoulder[:2], -1, 0)),
                                 np.sqrt(max(region.radius[0] ** 2 - lift**2, 0.0)))  # fmt: skip
        lifted = self.shoulder + np.stack(
            [
                lifted_flat * np.cos(clamped_azimuth),
                lifted_flat * np.sin(clamped_azimuth),
                np.full_like(lifted_flat, lift),
            ],
            axis=-1,
        )
        return np.where(in_box[..., None], lifted, shown)

    def step(self, target: Array, walking: Bools) -> Approach:
        """Say how the base moves; `project` says where the policy is told the target is.

        Args:
            target: position wanted for ee_link, m in base_link, shape (..., 3), finite.
            walking: what the last step returned, shape (...); False at first.
        """
        p = self.params
        offset = target - self.shoulder
        x, y, z = offset[..., 0], offset[..., 1], offset[..., 2]
        distance = np.hypot(x, y)
        azimuth = np.arctan2(y, x)
        standoff = self._standoff(z)
        start = self._out_of_reach(target, distance, z, standoff) | (np.abs(azimuth) > p.start_azimuth)
        walking = np.where(walking, ~self._arrived(target, distance, azimuth, z, standoff), start)

        error = distance - standoff
        speed = np.sign(error) * np.maximum(np.abs(p.gain_forward * error), p.min_speed)
        speed = speed.clip(-p.max_backward, p.max_forward) * np.maximum(0.0, np.cos(azimuth))
        speed = np.where(np.abs(error) <= p.stop_tolerance, 0.0, speed)
        # a target straight behind always turns the robot left: noise about +-pi must not make it dither
        turn = p.gain_turn * np.where(azimuth < -2.9, azimuth + 2.0 * np.pi, azimuth)
        turn = turn.clip(-p.max_turn, p.max_turn)
        on_the_spot = np.abs(speed) < p.min_speed
        turn = np.where(on_the_spot, np.copysign(np.maximum(np.abs(turn), p.min_turn), turn), turn)
        overhead = distance < p.overhead
        speed = np.where(overhead, -p.max_backward, speed)
        turn = np.where(overhead, 0.0, turn)

        velocity = self.limits.clip(np.stack([speed, np.zeros_like(speed), turn], axis=-1))
        return Approach(np.where(walking[..., None], velocity, 0.0), walking)

    def _standoff(self, height: Array) -> Array:
        """Horizontal distance to stop at, m, for targets at this height over the shoulder, m."""
        outer = self.region.radius[1]
        # the ball narrows with height; 0.30 m is where a target at the top of the region is still reached
        reach = 0.9 * np.sqrt(np.maximum(outer**2 - height**2, 0.0))
        standoff = reach.clip(0.30, self.params.standoff)
        return np.where(self.shoulder[2] + height < TRUNK_BOX_HIGH[2], self.params.standoff_low, standoff)

    def _out_of_reach(self, target: Array, distance: Array, height: Array, standoff: Array) -> Bools:
        """Whether a standing robot should start, apart from turning."""
        p = self.params
        # targets that no distance brings into reach count only by their stand-off
        far = np.maximum(np.sqrt(np.maximum(p.start_radius**2 - height**2, 0.0)), standoff + 0.08)
        highest = self.region.radius[1] * np.sin(self.region.elevation[1])
        too_steep = height.clip(0.0, highest) / np.tan(p.start_elevation)
        near = np.maximum(np.sqrt(np.maximum(p.start_near_radius**2 - height**2, 0.0)), too_steep)
        margin = p.low_margin
        beside_trunk = ((target > TRUNK_BOX_LOW + margin) & (target < TRUNK_BOX_HIGH - margin)).all(axis=-1)
        return (distance > far) | (distance < near) | beside_trunk

    def _arrived(self, target: Array, distance: Array, azimuth: Array, height: Array, standoff: Array) -> Bools:
        """Whether a walking robot should stop."""
        p = self.params
        low = self.shoulder[2] + height < TRUNK_BOX_HIGH[2]
        ahead = np.abs(azimuth) <= np.where(low, p.stop_azimuth_low, p.stop_azimuth)
        at_standoff = ahead & (np.abs(distance - standoff) <= p.stop_tolerance)
        radius, elevation = np.hypot(distance, height), np.arctan2(height, distance)
        inner = (
            (radius >= p.inner_radius[0])
            & (radius <= p.inner_radius[1])
            & (np.abs(azimuth) <= p.inner_azimuth)
            & (elevation >= p.inner_elevation[0])
            & (elevation <= p.inner_elevation[1])
            & ~in_trunk_box(target)
        )
        return at_standoff | inner


def _ramp(value: Array, limits: tuple[float, float]) -> Array:
    """Return 0 below the lower limit, 1 above the upper one, linear between."""
    low, high = limits
    return np.asarray((value - low) / (high - low)).clip(0.0, 1.0)
