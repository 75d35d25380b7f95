"""Target poses: what is drawn is reached; what is asked for and not reached is turned towards the natural pose."""

from __future__ import annotations

import numpy as np
import pytest
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.contract import TargetRegion
from moe_controller.targets import in_trunk_box, natural_rotation, reachable_rotation, sample_poses, sample_targets
from scipy.spatial.transform import Rotation

ARM = ArmKinematics()
REGION = TargetRegion()


def test_drawn_poses_are_reached_and_inside() -> None:
    positions, rotations = sample_poses(np.random.default_rng(0), 2000, REGION, ARM)
    _, reached = ARM.inverse(positions, rotations)
    assert reached.all()
    assert not in_trunk_box(positions).any()
    radius = np.linalg.norm(positions - ARM.shoulder, axis=1)
    assert np.all((radius >= REGION.radius[0]) & (radius <= REGION.radius[1]))


def test_spread_bounds_the_turn_from_the_natural_orientation() -> None:
    for spread in (0.0, 0.3, 0.6):
        positions, rotations = sample_poses(np.random.default_rng(1), 500, REGION, ARM, spread)
        natural = Rotation.from_matrix(natural_rotation(positions, ARM.shoulder))
        angles = (natural.inv() * Rotation.from_matrix(rotations)).magnitude()
        assert angles.max() <= spread + 1e-6
        assert spread == 0.0 or angles.max() > 0.8 * spread


def test_region_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="reaches next to nothing"):
        sample_poses(np.random.default_rng(0), 2, TargetRegion(radius=(3.0, 4.0)), ARM)


def test_natural_orientation_is_reached_nearly_everywhere() -> None:
    positions = sample_targets(np.random.default_rng(2), 3000, REGION, ARM.shoulder)
    _, reached = ARM.inverse(positions, natural_rotation(positions, ARM.shoulder))
    assert reached.mean() > 0.9, "the others are high and near, at the end of the elbow"


def test_reachable_orientation_stays_and_another_turns_until_it_is_reached() -> None:
    positions, rotations = sample_poses(np.random.default_rng(3), 200, REGION, ARM)
    np.testing.assert_array_equal(reachable_rotation(positions, rotations, ARM), rotations)
    backwards = rotations @ Rotation.from_euler("x", np.pi).as_matrix()
    turned = reachable_rotation(positions, backwards, ARM)
    _, reached = ARM.inverse(positions, turned)
    _, natural = ARM.inverse(positions, natural_rotation(positions, ARM.shoulder))
    assert np.all(reached[natural])
    away = Rotation.from_matrix(backwards).inv()
    before = (away * Rotation.from_matrix(natural_rotation(positions, ARM.shoulder))).magnitude()
    after = (away * Rotation.from_matrix(turned)).magnitude()
    assert np.mean(after < before - 0.01) > 0.5, "most stop before the natural orientation"


def test_natural_orientation_gives_way_in_pitch_where_the_arm_cannot_take_it() -> None:
    positions = sample_targets(np.random.default_rng(4), 2000, REGION, ARM.shoulder)
    natural = natural_rotation(positions, ARM.shoulder)
    _, before = ARM.inverse(positions, natural)
    shown = reachable_rotation(positions, natural, ARM)
    _, after = ARM.inverse(positions, shown)
    assert before.mean() < 0.94 and after.mean() > 0.97
    np.testing.assert_array_equal(shown[before], natural[before])
    left = shown[:, :, 0]
    np.testing.assert_allclose(left, natural[:, :, 0], atol=1e-12)
