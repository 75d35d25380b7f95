"""The graph of the real robot, and of emulated hardware in its place: the same nodes, one more process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .description import (
    BRIDGE_NODE,
    SIM_ARGUMENTS,
    Argument,
    GraphError,
    Node,
    Value,
    Values,
    cockpit_nodes,
    controller_node,
    odom_tf_node,
    operator_node,
    recorder_nodes,
    resolve,
    state_publisher_node,
    window_nodes,
)

PLANT = "go2_piper_driver.real_plant:HostedGo2PiperPlant"
READY = "emulated robot is up"
"""As `go2_piper_driver.emulation.emulated_robot.READY`, which needs the drivers' packages."""

_BOOLEAN = ("true", "false")
_SHARED = (
    "controller", "model", "backend", "num_samples", "precompiled_dir", "recompile", "seed", "duration", "out", "rate",
    "headless", "namespace", "auto_activate", "record", "record_size_mb", "rviz", "cockpit",
    "cockpit_port",
)  # fmt: skip
_ABOUT = {argument.name: argument for argument in SIM_ARGUMENTS}
ODOMETRY = ("legs", "external", "none")
EXTERNAL_POSE_TOPIC = "external_pose"
NO_OPERATOR = "manual"
"""Scenario without an operator: nothing moves until a person calls /safety/stand."""

REAL_ARGUMENTS: tuple[Argument, ...] = (
    Argument("interface", "", "network interface to the Go2 (192.168.123.x); with emulate lo"),
    Argument("domain", "", "DDS domain of the Go2; empty for 0, with emulate 1"),
    Argument("sdk", "auto", "software to the Go2; own: our messages on cyclonedds", ("auto", "unitree", "own")),
    Argument("stand_down", "true", "let the Go2's own controller lie down before it is released", _BOOLEAN),
    Argument("can", "", "CAN channel of the arm; empty for can0, with emulate one of its own"),
    Argument("arm_speed", "100", "percent of the arm's velocity limits"),
    Argument("arm_mit", "false", "gains and torques for the arm instead of its own position control", _BOOLEAN),
    Argument("odometry", "legs", "where /odom comes from; external: the topic /external_pose", ODOMETRY),
    Argument("emulate", "false", "start emulated hardware on this machine and drive that", _BOOLEAN),
    Argument("loss", "damp", "what emulated legs do when commands stop", ("hold", "damp", "limp")),
    Argument("emulation_control", "", "socket for faults of the emulated hardware; empty for none"),
    replace(
        _ABOUT["scenario"],
        default=NO_OPERATOR,
        description=f"what the operator plays; {NO_OPERATOR}: no operator, a person calls /safety/stand and activate",
        choices=(NO_OPERATOR, *_ABOUT["scenario"].choices),
    ),
    *(_ABOUT[name] for name in _SHARED),
)


def real_values(arguments: Mapping[str, str]) -> dict[str, str]:
    """Return a value for every argument, with the defaults of hardware or of emulation. Raises GraphError."""
    given = resolve(arguments, REAL_ARGUMENTS)
    emulate = given["emulate"] == "true"
    given["domain"] = given["domain"] or ("1" if emulate else "0")
    given["can"] = given["can"] or ("emulated" if emulate else "can0")
    given["interface"] = given["interface"] or ("lo" if emulate else "")
    if not given["interface"]:
        raise GraphError("interface is missing: name the network interface to the Go2, or emulate:=true")
    if emulate and given["interface"] != "lo":
        raise GraphError(f"emulate:=true stays on this machine: interface must be lo, not {given['interface']}")
    return given


def real_graph(arguments: Mapping[str, str]) -> list[Node]:
    """Return the nodes of the real robot.

    Args:
        arguments: values by name, of those in `REAL_ARGUMENTS`; what is missing takes its default.

    Raises:
        GraphError: an unknown argument or a value that cannot work.
    """
    given = real_values(arguments)
    emulate = given["emulate"] == "true"
    # what only simulations have
    values = Values(given | {"lockstep": "false", "use_sim_time": "false", "plant_model": ""})
    nodes = [_emulation(values)] if emulate else []
    nodes += [_bridge(values, emulate), *recorder_nodes(values), controller_node(values)]
    if given["scenario"] != NO_OPERATOR:
        nodes.append(operator_node(values))
    nodes += cockpit_nodes(values)
    nodes += window_nodes(values)
    nodes += [state_publisher_node(values), odom_tf_node()]
    return [replace(node, namespace=values.text("namespace").strip("/")) for node in nodes]


def _emulation(values: Values) -> Node:
    options = {name: values.text(name) for name in ("domain", "interface", "can", "loss")}
    options["control"] = values.text("emulation_control")
    return Node(
        "emulation",
        "go2_piper_driver",
        "emulated_robot",
        "go2_piper_driver.emulation",
        arguments=tuple(f"--{name}={value}" for name, value in options.items()),
        required=True,
        ready=READY,
    )


def _bridge(values: Values, emulate: bool) -> Node:
    options: dict[str, Value] = {
        "interface": values.text("interface"),
        "domain": values.integer("domain"),
        "sdk": values.text("sdk"),
        "stand_down": values.flag("stand_down"),
        "can": values.text("can"),
        "can_interface": "loopcan" if emulate else "socketcan",
        "arm_speed": values.integer("arm_speed"),
        "arm_mit": values.flag("arm_mit"),
        "odometry": "legs" if values.text("odometry") == "legs" else "none",
    }
    parameters: dict[str, Value] = {
        "plant": PLANT,
        "real_time": True,
        "rate": values.positive("rate"),
        "external_pose_topic": EXTERNAL_POSE_TOPIC if values.text("odometry") == "external" else "",
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
