"""The one description of the graph: which nodes run, with which parameters. Pure Python.

`launch_adapter.py` turns it into launch_ros actions, `supervisor.py` into child processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from go2_piper_description.paths import URDF_PATH

from ..scenario.scenarios import SCENARIOS

Value: TypeAlias = bool | int | float | str


class GraphError(ValueError):
    """Arguments that give no graph; one line that names the argument and what it may be."""


@dataclass(frozen=True)
class Argument:
    """A launch argument. Values are text, as on a command line."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShareFile:
    """A file that a package installs in its share folder."""

    package: str
    path: str


@dataclass(frozen=True)
class Node:
    """A node to start."""

    name: str
    package: str
    executable: str
    module: str = ""
    """Python module with a `main`; empty for nodes that are not ours."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    remaps: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str | ShareFile, ...] = ()
    """Of the command line, before the ROS arguments."""
    namespace: str = ""
    required: bool = False
    """All others end with it."""
    console: bool = False
    """Prints on the terminal itself: the operator."""
    ready: str = ""
    """What its log says once it is up. Nodes after it wait for that, so that a bridge which refuses to start beside
    another one takes no second controller into the other's graph. Empty: nobody waits."""
    launch_only: bool = False
    """Needs packages that only a full ROS installation has."""


CONTROLLERS = ("moe", "cem", "hybrid")
PLANNED_CONTROLLERS = ("cem", "hybrid")
"""Those that the planner's node runs."""

PLANNER_BACKENDS = ("reduced", "mujoco", "mjx")
"""As `cem_planner.factory.BACKENDS`, which needs the planner's packages."""

_BOOLEAN = ("true", "false")

SIM_ARGUMENTS: tuple[Argument, ...] = (
    Argument("controller", "moe", "what commands the joints", CONTROLLERS),
    Argument("model", "", "policy file (ONNX) of moe and hybrid; empty for the shipped one"),
    Argument("backend", "reduced", "of the planner in cem and hybrid", PLANNER_BACKENDS),
    Argument("num_samples", "500", "of the planner"),
    Argument("precompiled_dir", "", "the planner's compiled functions; empty for the user's cache"),
    Argument("recompile", "false", "compile the planner anew, whatever is stored", _BOOLEAN),
    Argument("plant_model", "", "MJCF of the simulated robot, joints matched by name; empty for our own"),
    Argument("scenario", "none", "what the operator plays; none: stand up, activate and wait", SCENARIOS),
    Argument("seed", "0", "of the scenario, the noise and the pushes"),
    Argument("duration", "0", "s to play; 0 for the scenario's own length"),
    Argument("out", "", "folder for record, plot and summary; empty for none"),
    Argument("rviz", "", "rviz2, where it is installed; empty: unless headless", ("", *_BOOLEAN)),
    Argument("cockpit", "false", "the operator's page for browsers of this machine", _BOOLEAN),
    Argument("cockpit_port", "8080", "of that page"),
    Argument("record", "false", "record all topics to recording.mcap in the folder of the run", _BOOLEAN),
    Argument("record_size_mb", "2000", "largest size of the recording, MB"),
    Argument("lockstep", "false", "a step waits for its command: deterministic, as fast as it can", _BOOLEAN),
    Argument("speed", "0.0", "simulated time per wall time; 0: real time, or in lockstep as fast as it goes"),
    Argument("rate", "200.0", "states per second, Hz"),
    Argument("headless", "false", "no windows", _BOOLEAN),
    Argument("namespace", "", "of all nodes"),
    Argument("use_sim_time", "true", "nodes take their time from /clock", _BOOLEAN),
    Argument("auto_activate", "true", "the controller configures and activates itself", _BOOLEAN),
    Argument("command_delay", "0.0", "s between a command and its effect on the simulated robot"),
    Argument("sensor_noise", "0.0", "of the simulated sensors; 1 is what training has"),
    Argument("pushes", "0.0", "largest push on the simulated base, m/s, one every 5 s; 0 for none"),
)


def resolve(arguments: Mapping[str, str], declared: tuple[Argument, ...] = SIM_ARGUMENTS) -> dict[str, str]:
    """Return a value for every declared argument. Raises GraphError for unknown arguments and bad values."""
    known = {argument.name: argument for argument in declared}
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise GraphError(f"unknown argument {unknown[0]}: there are {', '.join(known)}")
    values = {name: arguments.get(name, argument.default) for name, argument in known.items()}
    for argument in declared:
        if argument.choices and values[argument.name] not in argument.choices:
            choices = ", ".join(argument.choices)
            raise GraphError(f"{argument.name} '{values[argument.name]}' is unknown: choose one of {choices}")
    return values


class Values:
    """Typed access to the values of arguments. The methods raise GraphError."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """Return a value as it is."""
        return self._values[name]

    def flag(self, name: str) -> bool:
        """Return whether a value is true."""
        return self._values[name] == "true"

    def number(self, name: str) -> float:
        """Return a number."""
        try:
            return float(self._values[name])
        except ValueError:
            raise GraphError(f"{name} '{self._values[name]}' is not a number") from None

    def integer(self, name: str) -> int:
        """Return a whole number."""
        try:
            return int(self._values[name])
        except ValueError:
            raise GraphError(f"{name} '{self._values[name]}' is not a whole number") from None

    def positive(self, name: str) -> float:
        """Return a number above 0."""
        value = self.not_negative(name)
        if value == 0:
            raise GraphError(f"{name} must be above 0")
        return value

    def not_negative(self, name: str) -> float:
        """Return a finite number of 0 or more."""
        value = self.number(name)
        if not 0 <= value < float("inf"):
            raise GraphError(f"{name} {self._values[name]} must be 0 or more")
        return value


PUSH_INTERVAL = 5.0
"""s between two pushes."""

BRIDGE_NODE = "robot_bridge"
CONTROLLER_NODE = "moe_controller"
PLANNER_NODE = "cem_planner"


def sim_graph(arguments: Mapping[str, str]) -> list[Node]:
    """Return the nodes of the simulated robot.

    Args:
        arguments: values by name, of those in `SIM_ARGUMENTS`; what is missing takes its default.

    Raises:
        GraphError: an unknown argument or a value that cannot work.
    """
    values = Values(resolve(arguments))
    nodes = [_bridge(values), *recorder_nodes(values), controller_node(values), operator_node(values)]
    nodes += cockpit_nodes(values)
    nodes += window_nodes(values)
    nodes += [state_publisher_node(values), odom_tf_node()]
    return [replace(node, namespace=values.text("namespace").strip("/")) for node in nodes]


def _bridge(values: Values) -> Node:
    pushes = values.not_negative("pushes")
    options: dict[str, Value] = {
        "plant_model": values.text("plant_model"),
        "command_delay": values.not_negative("command_delay"),
        "sensor_noise": values.not_negative("sensor_noise"),
        "push_velocity": pushes,
        "push_interval": PUSH_INTERVAL if pushes else 0.0,
        "seed": values.integer("seed"),
    }
    parameters: dict[str, Value] = {
        "plant": "sim_bridge.mujoco_plant:MujocoPlant",
        "lockstep": values.flag("lockstep"),
        "wait_for_run_until": values.flag("lockstep"),
        "real_time": not values.flag("lockstep"),
        "speed": values.not_negative("speed"),
        "rate": values.positive("rate"),
        **{f"plant_options.{name}": value for name, value in options.items()},
    }
    return Node(
        BRIDGE_NODE,
        "robot_bridge",
        "bridge_node",
        "robot_bridge.bridge_node",
        parameters=parameters,
        required=True,
        ready="started",
    )


def _controller_name(values: Values) -> str:
    return PLANNER_NODE if values.text("controller") in PLANNED_CONTROLLERS else CONTROLLER_NODE


def controller_node(values: Values) -> Node:
    """Return the controller."""
    parameters: dict[str, Value] = {
        "model": values.text("model"),
        "lockstep": values.flag("lockstep"),
        "real_time": not values.flag("lockstep"),
        "auto_activate": values.flag("auto_activate"),
        "use_sim_time": values.flag("use_sim_time"),
    }
    name = _controller_name(values)
    if name == PLANNER_NODE:
        parameters |= {
            "mode": values.text("controller"),
            "backend": values.text("backend"),
            "precompiled_dir": values.text("precompiled_dir"),
            "recompile": values.flag("recompile"),
            "planner.num_samples": values.integer("num_samples"),
        }
    return Node(name, name, f"{name}_node", f"{name}.{name}_node", parameters=parameters, required=True)


def operator_node(values: Values) -> Node:
    """Return the operator."""
    parameters: dict[str, Value] = {
        "scenario": values.text("scenario"),
        "seed": values.integer("seed"),
        "duration": values.not_negative("duration"),
        "lockstep": values.flag("lockstep"),
        "rate": values.positive("rate"),
        "out": values.text("out"),
        "controller": values.text("controller"),
        "model": values.text("model"),
        "plant_model": values.text("plant_model"),
        "bridge_node": BRIDGE_NODE,
        "controller_node": _controller_name(values),
    }
    return Node(
        "operator",
        "moe_controller",
        "scenario_node",
        "moe_controller.scenario.scenario_node",
        parameters=parameters,
        required=True,
        console=True,
    )


def recorder_nodes(values: Values) -> list[Node]:
    """Return the recorder if it is asked for; it starts before the controller, so that its first steps are recorded."""
    if not values.flag("record"):
        return []
    parameters: dict[str, Value] = {"out": values.text("out"), "max_size_mb": values.integer("record_size_mb")}
    module = "moe_controller.recording.recorder_node"
    return [Node("recorder", "moe_controller", "recorder_node", module, parameters=parameters)]


def cockpit_nodes(values: Values) -> list[Node]:
    """Return the cockpit if it is asked for."""
    if not values.flag("cockpit"):
        return []
    parameters: dict[str, Value] = {"port": values.integer("cockpit_port"), "out": values.text("out")}
    return [Node("cockpit", "moe_controller", "cockpit_node", "moe_controller.cockpit.cockpit_node", parameters)]


def viewer_node() -> Node:
    """Return MuJoCo's window."""
    return Node("viewer", "sim_bridge", "viewer_node", "sim_bridge.viewer_node")


def window_nodes(values: Values) -> list[Node]:
    """Return what shows the robot: MuJoCo's viewer and rviz2 unless headless, rviz2 also where it is asked for."""
    headless, rviz = values.flag("headless"), values.text("rviz")
    nodes = [] if headless else [viewer_node()]
    if rviz == "true" or (not rviz and not headless):
        nodes.append(rviz_node(values))
    if nodes or values.flag("cockpit"):
        nodes.append(reference_node())
    return nodes


def reference_node() -> Node:
    """Return what draws the reference for the operator's views."""
    return Node("reference", "moe_controller", "reference_node", "moe_controller.reference.reference_node")


def rviz_node(values: Values) -> Node:
    """Return rviz2."""
    return Node(
        "rviz2",
        "rviz2",
        "rviz2",
        arguments=("-d", ShareFile("moe_controller", "rviz/sim.rviz")),
        parameters={"use_sim_time": values.flag("use_sim_time")},
        launch_only=True,
    )


def state_publisher_node(values: Values) -> Node:
    """Return what publishes the frames of the links."""
    parameters: dict[str, Value] = {
        "robot_description": URDF_PATH.read_text(),
        "use_sim_time": values.flag("use_sim_time"),
    }
    return Node(
        "robot_state_publisher",
        "robot_state_publisher",
        "robot_state_publisher",
        parameters=parameters,
        launch_only=True,
    )


def odom_tf_node() -> Node:
    """Return what publishes the frame of the base."""
    return Node("odom_tf", "robot_bridge", "odom_tf_node", "robot_bridge.odom_tf_node", launch_only=True)
