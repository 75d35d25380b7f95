"""The ONNX policy: what it gives, and one line for each file that is not one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moe_controller.contract import METADATA_KEY
from moe_controller.observation import DEFAULT_TERMS
from moe_controller.policy import OnnxPolicy, PolicyError, PolicyFault
from onnx import TensorProto, helper

from tests.support.tiny_policy import TINY_CONTRACT, tiny_contract, write_tiny_policy

SIZE = TINY_CONTRACT.observation_size


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "tiny.onnx"
    write_tiny_policy(path, action=np.linspace(-1, 1, 18).tolist())
    return path


def refusal(path: Path) -> str:
    """Return why a file is refused, and check that it is one line that names the file."""
    with pytest.raises(PolicyError) as caught:
        OnnxPolicy(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_gives_action_weights_and_expert_actions(tiny_file: Path) -> None:
    policy = OnnxPolicy(tiny_file)
    assert policy.contract == TINY_CONTRACT
    policy.warm_up(2)
    output = policy.act(np.ones(SIZE, np.float32))
    np.testing.assert_allclose(output.action, np.linspace(-1, 1, 18), rtol=1e-6)
    np.testing.assert_allclose(output.weights, np.full((2, 2), 0.5))
    assert output.expert_actions.shape == (2, 18)


def test_outputs_of_different_steps_do_not_share_memory(tiny_file: Path) -> None:
    policy = OnnxPolicy(tiny_file)
    first = policy.act(np.zeros(SIZE, np.float32))
    first.action[:] = 7.0
    assert policy.act(np.zeros(SIZE, np.float32)).action[0] == pytest.approx(-1.0)


@pytest.mark.parametrize("groups", [("all",), ("legs", "arm")])
@pytest.mark.parametrize("experts", [("one",), ("base", "arm"), ("a", "b", "c")])
def test_groups_and_experts_of_the_contract(tmp_path: Path, groups: tuple[str, ...], experts: tuple[str, ...]) -> None:
    write_tiny_policy(tmp_path / "p.onnx", contract=tiny_contract(groups=groups, experts=experts))
    output = OnnxPolicy(tmp_path / "p.onnx").act(np.zeros(SIZE, np.float32))
    assert output.weights.shape == (len(groups), len(experts))
    np.testing.assert_allclose(output.weights.sum(axis=1), 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_output_that_is_not_finite_is_a_fault(tiny_file: Path, bad: float) -> None:
    observation = np.zeros(SIZE, np.float32)
    observation[5] = bad
    with pytest.raises(PolicyFault, match="not finite"):
        OnnxPolicy(tiny_file).act(observation)


def test_missing_file(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.onnx")


def test_folder_and_empty_file(tmp_path: Path) -> None:
    assert "not a file" in refusal(tmp_path)
    (tmp_path / "empty.onnx").touch()
    assert "0 bytes" in refusal(tmp_path / "empty.onnx")


def test_unreadable_name(tmp_path: Path) -> None:
    refusal(tmp_path / ("x" * 300))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keep=st.floats(0.0, 0.99))
def test_truncated_file(tiny_file: Path, tmp_path: Path, keep: float) -> None:
    data = tiny_file.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(keep * len(data))])
    refusal(path)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=200))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bytes.onnx"
    path.write_bytes(data)
    refusal(path)


def test_onnx_of_somebody_else(tmp_path: Path) -> None:
    write_tiny_policy(tmp_path / "foreign.onnx", metadata={"author": "somebody else"})
    assert "not exported by this project" in refusal(tmp_path / "foreign.onnx")


def test_corrupt_contract(tmp_path: Path) -> None:
    write_tiny_policy(tmp_path / "corrupt.onnx", metadata={METADATA_KEY: "{"})
    assert "export the policy again" in refusal(tmp_path / "corrupt.onnx")


def test_contract_that_does_not_match_the_graph(tmp_path: Path) -> None:
    other = tiny_contract(experts=("a", "b", "c"), observation=DEFAULT_TERMS[:-1])
    write_tiny_policy(tmp_path / "other.onnx", metadata=other.to_metadata())
    message = refusal(tmp_path / "other.onnx")
    for name in ("observation", "expert_weights", "expert_actions"):
        assert f"'{name}'" in message


def test_graph_with_other_names_and_types(tmp_path: Path) -> None:
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.DOUBLE)
    graph = helper.make_graph(
        [node],
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 66])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1, 66])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, TINY_CONTRACT.to_metadata())
    onnx.save(model, tmp_path / "names.onnx")
    message = refusal(tmp_path / "names.onnx")
    assert "inputs are ['x']" in message
    assert "'action' is missing" in message


def test_provider_that_is_not_installed(tiny_file: Path) -> None:
    with pytest.raises(PolicyError, match="has no MagicProvider"):
        OnnxPolicy(tiny_file, ["MagicProvider"])
