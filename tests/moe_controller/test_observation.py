"""The observation: known vectors, batches and single samples alike, no hiding of bad numbers."""

from __future__ import annotations

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES, joint_array
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_controller.observation import DEFAULT_TERMS, ObservationBuilder, ObservationInputs, projected_gravity
from scipy.spatial.transform import Rotation

BUILDER = ObservationBuilder(DEFAULT_TERMS)
COLUMNS = {}
_start = 0
for _term in DEFAULT_TERMS:
    COLUMNS[_term.name] = slice(_start, _start + _term.size)
    _start += _term.size


def random_inputs(rng: np.random.Generator, shape: tuple[int, ...]) -> ObservationInputs:
    return ObservationInputs(
        orientation=Rotation.random(int(np.prod(shape)), rng).as_quat().reshape(*shape, 4),
        angular_velocity=rng.normal(size=(*shape, 3)),
        joint_position=rng.normal(size=(*shape, 18)),
        joint_velocity=rng.normal(size=(*shape, 18)),
        velocity_command=rng.normal(size=(*shape, 3)),
        ee_target=rng.normal(size=(*shape, 3)),
        last_action=rng.normal(size=(*shape, 18)),
    )


def standing_inputs(**changes: np.ndarray) -> ObservationInputs:
    values = {
        "orientation": np.array([0.0, 0.0, 0.0, 1.0]),
        "angular_velocity": np.zeros(3),
        "joint_position": joint_array("stand"),
        "joint_velocity": np.zeros(18),
        "velocity_command": np.zeros(3),
        "ee_target": np.zeros(3),
        "last_action": np.zeros(18),
    }
    return ObservationInputs(**{**values, **changes})


def test_size_is_66() -> None:
    assert BUILDER.size == 66
    assert BUILDER.build(standing_inputs()).shape == (66,)


def test_standing_still_is_all_zero_but_gravity() -> None:
    observation = BUILDER.build(standing_inputs())
    expected = np.zeros(66)
    expected[COLUMNS["projected_gravity"]] = (0, 0, -1)
    np.testing.assert_allclose(observation, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "field", "value", "seen"),
    [
        ("angular_velocity", "angular_velocity", [1.0, 2.0, -4.0], [0.25, 0.5, -1.0]),
        ("velocity_command", "velocity_command", [0.5, -0.1, 0.3], [0.5, -0.1, 0.3]),
        ("ee_target_position", "ee_target", [0.4, 0.1, 0.3], [0.4, 0.1, 0.3]),
    ],
)
def test_known_vectors(name: str, field: str, value: list[float], seen: list[float]) -> None:
    observation = BUILDER.build(standing_inputs(**{field: np.array(value)}))
    np.testing.assert_allclose(observation[COLUMNS[name]], seen, rtol=1e-6)


def test_joints_are_in_canonical_order_relative_to_the_stand_pose() -> None:
    position = joint_array("stand")
    position[JOINT_NAMES.index("RL_calf_joint")] += 0.3
    velocity = np.zeros(18)
    velocity[JOINT_NAMES.index("piper_joint6")] = 2.0
    observation = BUILDER.build(standing_inputs(joint_position=position, joint_velocity=velocity))
    assert observation[COLUMNS["joint_position"]][8] == pytest.approx(0.3)
    assert observation[COLUMNS["joint_velocity"]][17] == pytest.approx(0.1)
    assert np.count_nonzero(observation) == 3


def test_terms_are_clipped() -> None:
    observation = BUILDER.build(standing_inputs(joint_velocity=np.full(18, 1e6)))
    np.testing.assert_allclose(observation[COLUMNS["joint_velocity"]], 100.0)


@pytest.mark.parametrize(
    ("rpy", "gravity"),
    [
        ((0, 0, 1.0), (0, 0, -1)),
        ((0, np.pi / 2, 0), (1, 0, 0)),
        ((np.pi / 2, 0, 0), (0, -1, 0)),
        ((np.pi, 0, 0), (0, 0, 1)),
    ],
)
def test_gravity_of_known_attitudes(rpy: tuple[float, ...], gravity: tuple[float, ...]) -> None:
    orientation = Rotation.from_euler("xyz", rpy).as_quat()
    np.testing.assert_allclose(projected_gravity(orientation), gravity, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_gravity_is_the_world_down_vector_seen_from_the_base(seed: int) -> None:
    rotation = Rotation.random(5, np.random.default_rng(seed))
    expected = rotation.inv().apply([0.0, 0.0, -1.0])
    np.testing.assert_allclose(projected_gravity(rotation.as_quat()), expected, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_batch_and_single_are_bit_equal(seed: int) -> None:
    inputs = random_inputs(np.random.default_rng(seed), (4, 3))
    batch = BUILDER.build(inputs)
    for index in np.ndindex(4, 3):
        single = ObservationInputs(**{name: values[index] for name, values in vars(inputs).items()})
        np.testing.assert_array_equal(BUILDER.build(single), batch[index])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_numbers_are_not_hidden(bad: float) -> None:
    """NaN must pass, so that the policy faults; infinity is a number that the clip may limit."""
    observation = BUILDER.build(standing_inputs(angular_velocity=np.array([bad, 0.0, 0.0])))
    assert np.isnan(observation[0]) if np.isnan(bad) else observation[0] == 100.0
