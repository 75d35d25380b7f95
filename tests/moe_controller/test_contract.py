"""The contract: read back as written, and every way in which a file can fail to fit is named in one line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from moe_controller.contract import (
    LONGEST_HISTORY,
    LONGEST_PREVIEW,
    METADATA_KEY,
    Contract,
    ContractError,
    ObservationTerm,
    VelocityLimits,
)
from moe_controller.observation import ObservationBuilder

from tests.support.tiny_policy import TINY_CONTRACT, tiny_contract


def refusal(contract: Contract) -> str:
    """Return why the robot refuses a contract, and check that it is one line."""
    with pytest.raises(ContractError) as caught:
        contract.check_robot()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_round_trip_through_metadata_keeps_everything() -> None:
    contract = tiny_contract(expert_sha256=("a" * 64, "b" * 64), mount_xyz=(0.01, 0.0, 0.07), training={"seed": "1"})
    assert Contract.from_metadata(contract.to_metadata()) == contract


def test_fitting_contract_is_accepted() -> None:
    TINY_CONTRACT.check_robot((0.0, 0.0, 0.065))


def test_missing_joint_is_named() -> None:
    assert "joints missing ['FL_hip_joint']" in refusal(tiny_contract(joint_names=JOINT_NAMES[1:]))


def test_unknown_joint_is_named() -> None:
    assert "unknown joints ['tail']" in refusal(tiny_contract(joint_names=(*JOINT_NAMES, "tail")))


def test_other_order_is_refused() -> None:
    swapped = (JOINT_NAMES[1], JOINT_NAMES[0], *JOINT_NAMES[2:])
    assert "not the canonical order" in refusal(tiny_contract(joint_names=swapped))


@pytest.mark.parametrize("entry", ["kp", "kd", "default_position"])
def test_other_number_is_named_by_joint(entry: str) -> None:
    values = list(getattr(TINY_CONTRACT, entry))
    values[4] += 0.5
    message = refusal(tiny_contract(**{entry: tuple(values)}))
    assert JOINT_NAMES[4] in message
    assert JOINT_NAMES[5] not in message


@pytest.mark.parametrize("entry", ["kp", "kd", "default_position"])
def test_not_a_number_is_refused(entry: str) -> None:
    values = (float("nan"), *getattr(TINY_CONTRACT, entry)[1:])
    assert JOINT_NAMES[0] in refusal(tiny_contract(**{entry: values}))


@pytest.mark.parametrize("entry", ["kp", "kd", "default_position", "action_scale"])
def test_other_length_is_refused(entry: str) -> None:
    refusal(tiny_contract(**{entry: getattr(TINY_CONTRACT, entry)[:-1]}))


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"action_scale": (0.0,) * 18}, "action scale"),
        ({"action_clip": -1.0}, "action clip"),
        ({"control_period": 1.0}, "control period"),
        ({"experts": ()}, "no experts"),
        ({"groups": ("left", "right")}, "groups"),
    ],
)
def test_senseless_entry_is_refused(changes: dict[str, object], part: str) -> None:
    assert part in refusal(tiny_contract(**changes))


def test_other_mount_is_refused() -> None:
    with pytest.raises(ContractError, match="arm mount"):
        TINY_CONTRACT.check_robot((0.2, 0.0, 0.065))


def test_other_schema_is_refused() -> None:
    metadata = replace(TINY_CONTRACT, schema_version=99).to_metadata()
    with pytest.raises(ContractError, match="schema 99"):
        Contract.from_metadata(metadata)


def test_foreign_file_is_refused() -> None:
    with pytest.raises(ContractError, match="not exported by this project"):
        Contract.from_metadata({"producer": "somebody else"})


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{", '{"schema_version": 1}', "[" * 100_000, '{"a": NaN}'])
def test_foreign_json_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        Contract.from_metadata({METADATA_KEY: text})


def test_unknown_entry_is_named() -> None:
    raw = json.loads(TINY_CONTRACT.to_metadata()[METADATA_KEY]) | {"colour": "red"}
    with pytest.raises(ContractError, match="colour"):
        Contract.from_metadata({METADATA_KEY: json.dumps(raw)})


@pytest.mark.parametrize(
    "term",
    [
        ObservationTerm("mood", 3),
        ObservationTerm("angular_velocity", 4),
        ObservationTerm("arm_reference", 6, times=(0.0, 1.0)),
    ],
)
def test_observation_that_cannot_be_built_is_refused(term: ObservationTerm) -> None:
    with pytest.raises(ContractError, match=term.name):
        ObservationBuilder((term,))


FARTHEST_LOOKS = [
    ObservationTerm("ee_target_position", 6, times=(0.0, LONGEST_PREVIEW)),
    ObservationTerm("velocity_command", 3, history=LONGEST_HISTORY),
    ObservationTerm("velocity_command", 3, history=LONGEST_HISTORY // 4, stride=4),
]


@pytest.mark.parametrize("term", FARTHEST_LOOKS)
def test_farthest_look_is_read(term: ObservationTerm) -> None:
    contract = tiny_contract(observation=(term,))
    assert Contract.from_metadata(contract.to_metadata()) == contract


@pytest.mark.parametrize(
    ("term", "part"),
    [
        (replace(FARTHEST_LOOKS[0], times=(0.0, LONGEST_PREVIEW + 0.02)), "s ahead"),
        (replace(FARTHEST_LOOKS[0], times=(0.0, -0.02)), "s ahead"),
        (replace(FARTHEST_LOOKS[1], history=LONGEST_HISTORY + 1), "steps back"),
        (replace(FARTHEST_LOOKS[2], stride=5), "steps back"),
    ],
)
def test_longer_look_is_refused(term: ObservationTerm, part: str) -> None:
    with pytest.raises(ContractError, match=f"{term.name}.* {part}"):
        Contract.from_metadata(tiny_contract(observation=(term,)).to_metadata())


@pytest.mark.parametrize("fastest", [(1.5, 1.5), (1.5, 0.0, 3.0), (1.5, -1.0, 3.0), (1.5, 1.5, 1e9), (1.5, "2", 3.0)])
def test_acceleration_is_three_positive_numbers(fastest: tuple) -> None:
    contract = tiny_contract(velocity_limits=replace(TINY_CONTRACT.velocity_limits, acceleration=fastest))
    with pytest.raises(ContractError, match="'acceleration' is not three positive numbers"):
        Contract.from_metadata(contract.to_metadata())


def test_contract_from_before_the_acceleration_gets_the_default() -> None:
    raw = json.loads(TINY_CONTRACT.to_metadata()[METADATA_KEY])
    del raw["velocity_limits"]["acceleration"]
    read = Contract.from_metadata({METADATA_KEY: json.dumps(raw)})
    assert read.velocity_limits.acceleration == VelocityLimits().acceleration


@given(
    told=arrays(float, 3, elements=st.floats(-3, 3)),
    asked=arrays(float, 3, elements=st.floats(-3, 3)),
    period=st.floats(0.002, 0.1),
)
def test_ramp_goes_there_no_faster_than_it_may(told: np.ndarray, asked: np.ndarray, period: float) -> None:
    limits = VelocityLimits()
    largest = period * np.array(limits.acceleration)
    after = limits.ramp(told, asked, period)
    assert np.all(np.abs(after - told) <= largest + 1e-12)
    assert np.all(np.abs(asked - after) <= np.maximum(np.abs(asked - told) - largest, 0.0) + 1e-12)
    for _ in range(round(6.0 / (1.5 * period)) + 1):
        after = limits.ramp(after, asked, period)
    np.testing.assert_allclose(after, asked, atol=1e-12)


def test_ramp_ends_at_zero_itself() -> None:
    limits, told = VelocityLimits(), np.array([0.7, -0.31, 0.123])
    for _ in range(40):
        told = limits.ramp(told, np.zeros(3), 0.02)
    assert not told.any(), "the rewards of standing still are for a command of zero"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ENTRIES = sorted(json.loads(TINY_CONTRACT.to_metadata()[METADATA_KEY]))


@settings(max_examples=300, deadline=None)
@given(entry=st.sampled_from(ENTRIES), value=JSON)
def test_corrupt_entry_gives_nothing_but_a_contract_error(entry: str, value: object) -> None:
    raw = json.loads(TINY_CONTRACT.to_metadata()[METADATA_KEY]) | {entry: value}
    try:
        contract = Contract.from_metadata({METADATA_KEY: json.dumps(raw)})
        contract.check_robot((0.0, 0.0, 0.065))
        ObservationBuilder(contract.observation)
    except ContractError as error:
        assert "\n" not in str(error)


@settings(max_examples=200, deadline=None)
@given(part=st.sampled_from(["observation", "velocity_limits", "target_region"]), value=JSON, data=st.data())
def test_corrupt_nested_entry_gives_nothing_but_a_contract_error(part: str, value: object, data: st.DataObject) -> None:
    raw = json.loads(TINY_CONTRACT.to_metadata()[METADATA_KEY])
    inner = data.draw(st.sampled_from(raw[part])) if part == "observation" else raw[part]
    inner[data.draw(st.sampled_from(sorted(inner)))] = value
    try:
        contract = Contract.from_metadata({METADATA_KEY: json.dumps(raw)})
        contract.check_robot()
        ObservationBuilder(contract.observation)
        assert contract.observation_size == sum(term.size * term.history for term in contract.observation)
    except ContractError as error:
        assert "\n" not in str(error)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_gives_nothing_but_a_contract_error(text: str) -> None:
    with pytest.raises(ContractError):
        Contract.from_metadata({METADATA_KEY: text})
