"""The graph description: arguments, nodes, and that both sides know every parameter that is passed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from moe_controller.graph.description import SIM_ARGUMENTS, GraphError, Node, ShareFile, resolve, sim_graph
from robot_bridge.bridge_params import read_settings

ROOT = Path(__file__).parents[3]

OTHER_VALUES = {
    "model": "policy.onnx",
    "plant_model": "robot.xml",
    "scenario": "reach",
    "seed": "5",
    "duration": "12",
    "out": "folder",
    "record": "true",
    "cockpit": "true",
    "rviz": "false",
    "cockpit_port": "8090",
    "record_size_mb": "50",
    "lockstep": "true",
    "speed": "0.5",
    "rate": "100",
    "headless": "true",
    "namespace": "robot1",
    "use_sim_time": "false",
    "auto_activate": "false",
    "command_delay": "0.02",
    "sensor_noise": "1",
    "pushes": "0.5",
    "backend": "mujoco",
    "num_samples": "64",
    "precompiled_dir": "compiled",
    "recompile": "true",
}


def by_name(arguments: dict[str, str]) -> dict[str, Node]:
    return {node.name: node for node in sim_graph(arguments)}


def test_defaults_start_the_whole_graph() -> None:
    assert set(by_name({})) == {
        "robot_bridge", "moe_controller", "operator", "viewer", "rviz2", "robot_state_publisher", "odom_tf",
        "reference",
    }  # fmt: skip


def test_rviz_can_be_had_without_other_windows() -> None:
    assert "rviz2" in by_name({"headless": "true", "rviz": "true"})
    assert "viewer" not in by_name({"headless": "true", "rviz": "true"})
    assert "rviz2" not in by_name({"rviz": "false"})


def test_headless_has_no_windows() -> None:
    assert not {"viewer", "rviz2", "reference"} & set(by_name({"headless": "true"}))


@pytest.mark.parametrize("argument", [argument for argument in SIM_ARGUMENTS if argument.name != "controller"])
def test_every_argument_changes_the_graph(argument: object) -> None:
    name = argument.name  # type: ignore[attr-defined]
    hybrid = {"controller": "hybrid"}  # has the planner's arguments and the policy's
    for part in ("record", "cockpit"):
        if name.startswith(f"{part}_"):
            hybrid[part] = "true"
    assert sim_graph({**hybrid, name: OTHER_VALUES[name]}) != sim_graph(hybrid)


@pytest.mark.parametrize("controller", ["cem", "hybrid"])
def test_one_node_commands_the_joints(controller: str) -> None:
    nodes = by_name({"controller": controller})
    assert "moe_controller" not in nodes
    assert nodes["cem_planner"].parameters["mode"] == controller and nodes["cem_planner"].required
    assert nodes["operator"].parameters["controller_node"] == "cem_planner"


def test_the_bridge_comes_first_and_is_waited_for() -> None:
    first, *others = sim_graph({})
    assert first.name == "robot_bridge" and first.ready
    assert all(not node.ready for node in others)


def test_our_nodes_have_modules_and_the_others_need_a_ros_installation() -> None:
    for node in sim_graph({}):
        assert node.launch_only or find_spec(node.module), node.name


def test_bridge_knows_its_parameters() -> None:
    bridge = by_name({name: OTHER_VALUES[name] for name in ("pushes", "command_delay", "sensor_noise", "seed")})
    settings = read_settings(bridge["robot_bridge"].parameters)
    assert settings.plant_options["push_velocity"] == 0.5 and settings.plant_options["push_interval"] > 0
    assert settings.plant_options["command_delay"] == 0.02 and settings.plant_options["seed"] == 5


def test_without_pushes_there_is_no_interval() -> None:
    assert by_name({})["robot_bridge"].parameters["plant_options.push_interval"] == 0.0


def test_lockstep_reaches_all_who_take_part() -> None:
    nodes = by_name({"lockstep": "true"})
    assert all(nodes[name].parameters["lockstep"] is True for name in ("robot_bridge", "moe_controller", "operator"))
    assert nodes["robot_bridge"].parameters["wait_for_run_until"] is True


@pytest.mark.parametrize("controller", ["moe", "cem"])
def test_by_the_wall_clock_control_goes_first(controller: str) -> None:
    def real_time(**arguments: str) -> list[object]:
        return [node.parameters["real_time"] for node in sim_graph(arguments) if "real_time" in node.parameters]

    assert real_time(controller=controller) == [True, True]
    assert real_time(controller=controller, lockstep="true") == [False, False]


def test_namespace_is_that_of_all_nodes() -> None:
    assert {node.namespace for node in sim_graph({"namespace": "/robot1/"})} == {"robot1"}


def test_shared_files_exist() -> None:
    for node in sim_graph({}):
        for argument in node.arguments:
            if isinstance(argument, ShareFile):
                assert (ROOT / "ros2_ws" / "src" / argument.package / argument.path).is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scenario": "dance"}, "scenario 'dance' is unknown: choose one of none, reach"),
        ({"controller": "pid"}, "controller 'pid' is unknown: choose one of moe, cem, hybrid"),
        ({"controller": "cem", "backend": "gpu"}, "backend 'gpu' is unknown: choose one of reduced, mujoco, mjx"),
        ({"controller": "cem", "num_samples": "many"}, "num_samples 'many' is not a whole number"),
        ({"lockstep": "yes"}, "lockstep 'yes' is unknown: choose one of true, false"),
        ({"seed": "x"}, "seed 'x' is not a whole number"),
        ({"duration": "-1"}, "duration -1 must be 0 or more"),
        ({"duration": "nan"}, "duration nan must be 0 or more"),
        ({"pushes": "hard"}, "pushes 'hard' is not a number"),
        ({"rate": "0"}, "rate must be above 0"),
        ({"colour": "red"}, "unknown argument colour: there are controller, model"),
    ],
)
def test_bad_values_are_one_clear_line(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(GraphError) as error:
        sim_graph(arguments)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_resolve_fills_in_the_defaults() -> None:
    values = resolve({"seed": "3"})
    assert values["seed"] == "3" and values["scenario"] == "none" and len(values) == len(SIM_ARGUMENTS)
