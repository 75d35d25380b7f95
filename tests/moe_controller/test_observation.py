"""The observation: known vectors, batches and single samples alike, no hiding of bad numbers."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, joint_array
from go2_piper_description.kinematics import ArmKinematics
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_controller.contract import ContractError, ObservationTerm
from moe_controller.observation import (
    DEFAULT_TERMS,
    ROUTER_TERMS,
    ObservationBuilder,
    ObservationInputs,
    projected_gravity,
)
from scipy.spatial.transform import Rotation

BUILDER = ObservationBuilder(DEFAULT_TERMS)
COLUMNS = {}
_start = 0
for _term in DEFAULT_TERMS:
    COLUMNS[_term.name] = slice(_start, _start + _term.size)
    _start += _term.size


ARM = ArmKinematics()
HOME = ARM.ee_transform(joint_array("stand")[ARM_SLICE])
TIMES = len(BUILDER.times)


def random_inputs(rng: np.random.Generator, shape: tuple[int, ...]) -> ObservationInputs:
    count = int(np.prod(shape))
    return BUILDER.inputs(
        orientation=Rotation.random(count, rng).as_quat().reshape(*shape, 4),
        angular_velocity=rng.normal(size=(*shape, 3)),
        joint_position=rng.normal(size=(*shape, 18)),
        joint_velocity=rng.normal(size=(*shape, 18)),
        velocity_command=rng.normal(size=(*shape, 3)),
        target_position=rng.normal(size=(*shape, TIMES, 3)),
        target_rotation=Rotation.random(count * TIMES, rng).as_matrix().reshape(*shape, TIMES, 3, 3),
        last_action=rng.normal(size=(*shape, 18)),
    )


def standing_inputs(builder: ObservationBuilder = BUILDER, **changes: np.ndarray) -> ObservationInputs:
    """A robot in the stand pose with its end effector on target."""
    count = len(builder.times)
    values = {
        "orientation": np.array([0.0, 0.0, 0.0, 1.0]),
        "angular_velocity": np.zeros(3),
        "joint_position": joint_array("stand"),
        "joint_velocity": np.zeros(18),
        "velocity_command": np.zeros(3),
        "target_position": np.tile(HOME[:3, 3], (count, 1)),
        "target_rotation": np.tile(HOME[:3, :3], (count, 1, 1)),
        "last_action": np.zeros(18),
    }
    return builder.inputs(**{**values, **changes})


def test_size_is_that_of_the_terms() -> None:
    assert BUILDER.size == 3 + 3 + 3 + 3 + 6 + 4 * 9 + 3 * 18
    assert BUILDER.build(standing_inputs()).shape == (BUILDER.size,)


def test_standing_on_target_is_all_zero_but_gravity_and_target() -> None:
    observation = BUILDER.build(standing_inputs())
    expected = np.zeros(BUILDER.size)
    expected[COLUMNS["projected_gravity"]] = (0, 0, -1)
    expected[COLUMNS["ee_target_position"]] = HOME[:3, 3]
    expected[COLUMNS["ee_preview"]] = [0, 0, 0, 1, 0, 0, 0, 1, 0] * 4
    np.testing.assert_allclose(observation, expected, atol=1e-7)


def test_arm_reference_puts_the_end_effector_on_the_target() -> None:
    joints = joint_array("stand")[ARM_SLICE] + [0.4, 0.2, -0.3, 0.3, 0.5, -0.4]
    pose = ARM.ee_transform(joints)
    target = {
        "target_position": np.tile(pose[:3, 3], (TIMES, 1)),
        "target_rotation": np.tile(pose[:3, :3], (TIMES, 1, 1)),
    }
    seen = BUILDER.build(standing_inputs(BUILDER, **target))[COLUMNS["arm_reference"]]
    np.testing.assert_allclose(seen, joints - joint_array("stand")[ARM_SLICE], atol=1e-6)


def test_preview_is_seen_from_the_end_effector_in_the_order_of_its_times() -> None:
    positions = np.tile(HOME[:3, 3], (TIMES, 1))
    last = BUILDER.times.index(1.0)
    positions[last] = HOME[:3, 3] + 0.1 * HOME[:3, 2]  # ahead of the gripper
    seen = BUILDER.build(standing_inputs(target_position=positions))[COLUMNS["ee_preview"]].reshape(4, 9)
    np.testing.assert_allclose(seen[:3, :3], 0.0, atol=1e-7)
    np.testing.assert_allclose(seen[3, :3], [0.0, 0.0, 0.1], atol=1e-7)
    turned = np.tile(HOME[:3, :3] @ Rotation.from_euler("z", 0.5).as_matrix(), (TIMES, 1, 1))
    seen = BUILDER.build(standing_inputs(target_rotation=turned))[COLUMNS["ee_preview"]].reshape(4, 9)
    np.testing.assert_allclose(seen[0, 3:], Rotation.from_euler("z", 0.5).as_matrix()[:2].ravel(), atol=1e-6)


def test_error_term_is_the_way_still_to_go() -> None:
    builder = ObservationBuilder((ObservationTerm("ee_error", 6),))
    count = len(builder.times)
    turned = np.tile(HOME[:3, :3] @ Rotation.from_rotvec([0.0, 0.2, 0.0]).as_matrix(), (count, 1, 1))
    moved = np.tile(HOME[:3, 3] + HOME[:3, :3] @ [0.0, 0.05, 0.0], (count, 1))
    seen = builder.build(standing_inputs(builder, target_position=moved, target_rotation=turned))
    np.testing.assert_allclose(seen, [0.0, 0.05, 0.0, 0.0, np.sin(0.2), 0.0], atol=1e-6)


def test_history_is_oldest_first_with_its_stride_and_starts_full_of_the_present() -> None:
    builder = ObservationBuilder((ObservationTerm("velocity_command", 3, history=3, stride=2),))
    seen = [
        builder.build(standing_inputs(builder, velocity_command=np.full(3, float(i))))[::3].tolist() for i in range(6)
    ]
    assert seen == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5]]
    builder.reset()
    assert builder.build(standing_inputs(builder, velocity_command=np.ones(3))).tolist() == [1.0] * 9


def test_reset_of_some_rows_leaves_the_others() -> None:
    builder = ObservationBuilder((ObservationTerm("velocity_command", 3, history=2),))

    def build(value: float) -> np.ndarray:
        rows = {name: np.stack([v, v]) for name, v in vars(standing_inputs(builder)).items() if name != "arm"}
        return builder.build(builder.inputs(**{**rows, "velocity_command": np.full((2, 3), value)}))

    build(1.0)
    builder.reset(np.array([1]))
    np.testing.assert_array_equal(build(2.0)[:, [0, 3]], [[1.0, 2.0], [2.0, 2.0]])


def test_router_terms_build() -> None:
    builder = ObservationBuilder((*DEFAULT_TERMS, *ROUTER_TERMS))
    observation = builder.build(standing_inputs(builder))
    assert observation.shape == (BUILDER.size + 5 * 15 + 5 * 10,)
    assert observation[-1] == pytest.approx(2.0), "the last path token ends with its time"


def test_a_term_of_another_number_of_previews_is_refused() -> None:
    with pytest.raises(ContractError, match="ee_preview"):
        ObservationBuilder((ObservationTerm("ee_preview", 9, times=(0.02, 0.04)),))


@pytest.mark.parametrize(
    ("name", "field", "value", "seen"),
    [
        ("angular_velocity", "angular_velocity", [1.0, 2.0, -4.0], [0.25, 0.5, -1.0]),
        ("velocity_command", "velocity_command", [0.5, -0.1, 0.3], [0.5, -0.1, 0.3]),
    ],
)
def test_known_vectors(name: str, field: str, value: list[float], seen: list[float]) -> None:
    observation = BUILDER.build(standing_inputs(BUILDER, **{field: np.array(value)}))
    np.testing.assert_allclose(observation[COLUMNS[name]], seen, rtol=1e-6)


def test_joints_are_in_canonical_order_relative_to_the_stand_pose() -> None:
    position = joint_array("stand")
    position[JOINT_NAMES.index("RL_calf_joint")] += 0.3
    velocity = np.zeros(18)
    velocity[JOINT_NAMES.index("piper_joint6")] = 2.0
    observation = BUILDER.build(standing_inputs(joint_position=position, joint_velocity=velocity))
    assert observation[COLUMNS["joint_position"]][8] == pytest.approx(0.3)
    assert observation[COLUMNS["joint_velocity"]][17] == pytest.approx(0.1)
    for name in ("joint_position", "joint_velocity"):
        assert np.count_nonzero(observation[COLUMNS[name]]) == 1


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
def test_batch_and_single_are_equal(seed: int) -> None:
    inputs = random_inputs(np.random.default_rng(seed), (4, 3))
    batch = BUILDER.build(inputs)
    for index in np.ndindex(4, 3):
        single = BUILDER.inputs(**{f.name: getattr(inputs, f.name)[index] for f in fields(inputs) if f.name != "arm"})
        # to float32: NumPy may add up products in another order in a batch
        np.testing.assert_allclose(BUILDER.build(single), batch[index], atol=2e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_numbers_are_not_hidden(bad: float) -> None:
    """NaN must pass, so that the policy faults; infinity is a number that the clip may limit."""
    observation = BUILDER.build(standing_inputs(angular_velocity=np.array([bad, 0.0, 0.0])))
    assert np.isnan(observation[0]) if np.isnan(bad) else observation[0] == 100.0
