"""The graph of the real robot and the options of `make real`."""

from __future__ import annotations

from pathlib import Path

import pytest
from moe_controller import real
from moe_controller.graph.description import GraphError, Node
from moe_controller.graph.real import PLANT, READY, REAL_ARGUMENTS, real_graph
from moe_controller.graph.supervisor import node_command
from robot_bridge.bridge_params import read_settings


def by_name(arguments: dict[str, str]) -> dict[str, Node]:
    return {node.name: node for node in real_graph(arguments)}


def test_hardware_has_no_operator_that_would_move_it() -> None:
    nodes = by_name({"interface": "eth0"})
    assert "operator" not in nodes and "emulation" not in nodes
    assert nodes["robot_bridge"].parameters["plant_options.domain"] == 0
    assert nodes["robot_bridge"].parameters["plant_options.can_interface"] == "socketcan"
    assert "operator" in by_name({"interface": "eth0", "scenario": "none"})


def test_emulation_differs_by_one_process_and_where_it_is() -> None:
    hardware = by_name({"interface": "lo", "domain": "1", "can": "emulated", "scenario": "reach"})
    emulated = by_name({"emulate": "true", "scenario": "reach"})
    emulation = emulated.pop("emulation")
    bridge, twin = emulated["robot_bridge"].parameters, hardware["robot_bridge"].parameters
    assert {name for name in bridge if bridge[name] != twin[name]} == {"plant_options.can_interface"}
    emulated.pop("robot_bridge"), hardware.pop("robot_bridge")
    assert emulated == hardware
    assert next(iter(real_graph({"emulate": "true"}))).name == "emulation"  # the bridge waits for it
    assert emulation.ready == READY and emulation.required


def test_where_the_base_is_comes_from_one_source() -> None:
    wanted = {"legs": ("legs", ""), "none": ("none", ""), "external": ("none", "external_pose")}
    for odometry, (plant, topic) in wanted.items():
        parameters = by_name({"interface": "eth0", "odometry": odometry})["robot_bridge"].parameters
        assert (parameters["plant_options.odometry"], parameters["external_pose_topic"]) == (plant, topic)


def test_emulation_is_started_with_its_options(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedds")
    from go2_piper_driver.emulation import emulated_robot

    assert READY == emulated_robot.READY
    node = by_name({"emulate": "true", "domain": "7", "can": "arm", "loss": "limp"})["emulation"]
    command = node_command(node, tmp_path / "parameters.yaml")
    given = command[3 : command.index("--ros-args")]
    options = emulated_robot.build_parser().parse_args(given)
    assert (options.domain, options.can, options.loss, options.interface) == (7, "arm", "limp", "lo")


def test_bridge_knows_every_parameter() -> None:
    pytest.importorskip("cyclonedds")
    pytest.importorskip("can")
    for arguments in ({"interface": "eth0"}, {"emulate": "true"}):
        parameters = by_name(arguments)["robot_bridge"].parameters
        settings = read_settings(parameters)
        assert settings.bridge.plant == PLANT


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "interface is missing"),
        ({"emulate": "true", "interface": "eth0"}, "interface must be lo"),
        ({"interface": "eth0", "domain": "x"}, "domain 'x' is not a whole number"),
        ({"interface": "eth0", "arm_speed": "fast"}, "arm_speed 'fast' is not a whole number"),
        ({"emulate": "maybe"}, "emulate 'maybe' is unknown"),
        ({"emulate": "true", "loss": "explode"}, "loss 'explode' is unknown"),
        ({"emulate": "true", "pushes": "1"}, "unknown argument pushes"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(GraphError) as error:
        real_graph(arguments)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_every_option_is_an_argument_of_the_graph(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    values = real.graph_arguments(real.build_parser().parse_args(["--emulate"]))
    assert set(values) <= {argument.name for argument in REAL_ARGUMENTS}
    real_graph(values)


def test_command_refuses_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")
    assert real.main([]) == 2
    assert capsys.readouterr().err == (
        "real: interface is missing: name the network interface to the Go2, or emulate:=true\n"
    )
    assert not list(tmp_path.iterdir())
