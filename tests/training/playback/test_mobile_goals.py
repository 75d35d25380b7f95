"""Targets that the arm does not reach make the base walk, and are shown where the policy knows them."""

from __future__ import annotations

import numpy as np
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.approach import ApproachRule
from scipy.spatial.transform import Rotation

from training.envs.trajectory_goals import TrajectoryGoals
from training.playback.mobile_goals import NOW, MobileGoals
from training.trajectories import PoseSequence, generate


class Bases:
    """Two robots, level, at the world's origin."""

    base_position = np.array([[0.0, 0.0, 0.28]] * 2)
    base_rotation = np.tile(np.eye(3), (2, 1, 1))


ALL = np.arange(2)


def goals(sequence: PoseSequence) -> MobileGoals:
    """Return goals of two robots that have begun."""
    made = MobileGoals(TrajectoryGoals([sequence], 2, 0.02, lead=0.0), 2, ApproachRule(ArmKinematics().shoulder))
    made.reset(ALL, Bases())
    return made


def test_within_reach_nothing_changes() -> None:
    (sequence,) = generate("pushing", 1, 0, duration=1.0)
    made = goals(sequence)
    made.step(Bases())
    np.testing.assert_array_equal(made.command, np.zeros((2, 3)))
    shown, wanted = made.targets(NOW, Bases()), made.wanted.targets(NOW, Bases())
    np.testing.assert_allclose(shown[0], wanted[0], atol=1e-12)
    np.testing.assert_allclose(shown[1], wanted[1], atol=1e-12)


def test_far_targets_are_walked_to_and_shown_near() -> None:
    far = np.tile([2.0, 0.0, 0.2], (10, 1))
    made = goals(PoseSequence(far, Rotation.identity(10).as_quat(), 10.0))
    assert made.command[:, 0].min() > 0.3 and np.abs(made.command[:, 1:]).max() < 1e-9
    arm = ArmKinematics()
    shown, rotation = (values[:, 0] for values in made.targets(NOW, Bases()))
    assert np.linalg.norm(shown - arm.shoulder, axis=1).max() < 0.56
    assert arm.inverse(shown, rotation)[1].all()
    np.testing.assert_allclose(made.wanted.targets(NOW, Bases())[0][:, 0], far[:2])


def test_a_new_episode_forgets_that_the_base_walked() -> None:
    places = np.tile([2.0, 0.0, 0.2], (20, 1))
    places[10:] = [0.5, 0.3, 0.2]  # turned to by a walking robot, but not by a standing one
    made = goals(PoseSequence(places, Rotation.identity(20).as_quat(), 10.0))
    for _ in range(60):
        made.step(Bases())
    assert np.abs(made.command[:, 2]).min() > 0.0
    made.wanted.lead = -1.2  # type: ignore[attr-defined]  # the next episode begins where the place is near
    made.reset(ALL[1:], Bases())
    assert np.abs(made.command[0]).max() > 0.0 and np.abs(made.command[1]).max() == 0.0
