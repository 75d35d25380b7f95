"""The planner's node: `controller.CemController` in a `ControlNode`, alone (`cem`) or with the policy (`hybrid`)."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from moe_controller.contract import ContractError
from moe_controller.control_node import ControlNode, Core
from moe_controller.controller import MoeController
from moe_controller.markers import control_markers, weights_message
from moe_controller.policy import OnnxPolicy, PolicyError, PolicyFault
from moe_controller.shipped import shipped_model
from moe_controller.state_assembler import Measurement
from robot_bridge import convert
from robot_bridge.host.realtime import SWITCH_INTERVAL
from robot_bridge.run_node import run_node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from .backends import BackendError
from .controller import CONTROL_PERIOD, CemController, CemOutput, ControlFault, ControllerParams
from .costs import Weights
from .factory import Rollouts, default_directory, make_kinematics, make_planners
from .messages import ghost_markers, plan_message
from .network import PlanNetwork
from .plan import PlanFault
from .planning import InlinePlanning, Planning, ThreadPlanning
from .preview import Preview
from .settings import PlannerSettings, SettingsError

MODES = ("cem", "hybrid")
_DEADLINE_SHARE = 0.8
"""Of a planning period, by default: the rest is for the policy and the messages."""
_AUTOMATIC = -1.0
_PLANS_BEFORE_WARNING = 100


class CemPlannerNode(ControlNode):
    """Publishes joint commands, plans and ghosts."""

    title = "planner"
    refusals = (BackendError, PlanFault, PolicyError, ContractError, PolicyFault, ValueError)
    faults = (ControlFault, PolicyFault)

    def __init__(self) -> None:
        super().__init__("cem_planner")
        self._declare("mode", "cem", "cem: the planner alone; hybrid: with the policy")
        self._declare("backend", "reduced", "what rolls samples out: reduced, mujoco, mjx")
        for item in fields(Rollouts):
            self._declare(f"rollouts.{item.name}", item.default, "of the mujoco backend around the reduced plan")
        self._declare("model", "", "policy file (ONNX) for hybrid; empty for the shipped one")
        self._declare("providers", ["CPUExecutionProvider"], "execution providers of onnxruntime, preferred first")
        self._declare("network", "", "file of a network that proposes plans; empty for none")
        self._declare("precompiled_dir", "", "folder of compiled functions; empty for the user's cache")
        self._declare("recompile", False, "compile anew, whatever is stored")
        self._declare("planning_thread", True, "plan beside the control loop; in lockstep always inside of it")
        self._declare("deadline", _AUTOMATIC, "s for one plan; -1: 0.8 periods, in lockstep none")
        self._declare(
            "prediction_delay", _AUTOMATIC, "s from a state to its plan's effect; -1: a period, without a thread 0"
        )
        self._declare("max_plan_age", 0.2, "s after which a plan is not executed any more")
        for kind, prefix in ((PlannerSettings, "planner"), (Weights, "weights")):
            for item in fields(kind):
                self._declare(f"{prefix}.{item.name}", item.default, f"as in {kind.__name__}")
        self._planning: Planning | None = None
        self._policy: OnnxPolicy | None = None
        self._output: CemOutput | None = None
        self._warned = False

    def _make_core(self) -> Core:
        mode, settings = str(self._value("mode")), self._settings(PlannerSettings, "planner")
        if mode not in MODES:
            raise SettingsError(f"mode '{mode}' is unknown: choose one of {', '.join(MODES)}")
        weights = self._settings(Weights, "weights")
        network = str(self._value("network"))
        proposing = PlanNetwork(network, settings) if network else None
        policy = self._load_policy() if mode == "hybrid" else None
        period = CONTROL_PERIOD if policy is None else policy.control_period
        threaded = bool(self._value("planning_thread")) and not self.lockstep
        delay, deadline = self._number("prediction_delay"), self._number("deadline")
        params = ControllerParams(
            max_plan_age=self._positive("max_plan_age"),
            prediction_delay=delay if delay is not None else max(settings.period, period) if threaded else 0.0,
        )
        if deadline is None and not self.lockstep:
            deadline = _DEADLINE_SHARE * max(settings.period, period)
        directory = str(self._value("precompiled_dir"))
        planners = make_planners(
            settings,
            str(self._value("backend")),
            directory=Path(directory) if directory else default_directory(),
            recompile=bool(self._value("recompile")),
            weights=weights,
            rollouts=Rollouts(**{item.name: int(self._value(f"rollouts.{item.name}")) for item in fields(Rollouts)}),
            log=self.get_logger().info,
        )
        if settings.period < period - 1e-6:
            self.get_logger().warning(f"planner.frequency is {settings.frequency:g} Hz: commands are made at "
                                      f"{1.0 / period:g} Hz, and no more plans than that")  # fmt: skip
        self._release_core()
        kind = ThreadPlanning if threaded else InlinePlanning
        self._planning = kind(planners, deadline, make_kinematics(settings, weights), proposing)
        self._preview, self._plan_settings, self._output, self._warned = Preview(), settings, None, False
        self._delay, self._model_name = params.prediction_delay, f"{mode} {self._value('backend')}"
        return CemController(self._planning, settings, policy, params)

    def _load_policy(self) -> MoeController:
        policy = OnnxPolicy(str(self._value("model")) or shipped_model(), tuple(self._value("providers")))
        controller = MoeController(policy, float(self._value("cmd_vel_timeout")))
        policy.warm_up()
        self._policy = policy
        return controller

    def _settings(self, kind: Any, prefix: str) -> Any:
        return kind.from_mapping({item.name: self._value(f"{prefix}.{item.name}") for item in fields(kind)})

    def _number(self, name: str) -> float | None:
        """Return a parameter that is a time, s; None for the automatic one."""
        value = float(self._value(name))
        if value == _AUTOMATIC:
            return None
        if not 0.0 <= value <= 1.0:
            raise SettingsError(f"{name} is {value:g} s: it must be from 0 to 1, or -1 for the automatic one")
        return value

    def _positive(self, name: str) -> float:
        value = float(self._value(name))
        if not 0.0 < value <= 1.0:
            raise SettingsError(f"{name} is {value:g} s: it must be above 0 and at most 1")
        return value

    def _release_core(self) -> None:
        if self._planning is not None:
            self._planning.close()
            self._planning = None

    def _advertise_extras(self) -> None:
        self._plan_pub = self._advertise(JointTrajectory, "cem/plan")
        self._ghost_pub = self._advertise(MarkerArray, "cem/ghost")
        if self._policy is not None:
            self._weights_pub = self._advertise(Float64MultiArray, "moe/expert_weights")
            self._markers_pub = self._advertise(MarkerArray, "moe/markers")

    def _publish_extras(self, output: Any, measurement: Measurement, markers_due: bool) -> None:
        self._output = output
        stamp = measurement.joints.header.stamp
        if output.new_plan:
            points = self._plan_settings.num_knots
            self._plan_pub.publish(plan_message(output, points, output.plan.stamp - self._delay))
        if self._policy is not None and output.policy is not None:
            self._weights_pub.publish(weights_message(output.policy.weights, self._policy.contract))
        if not markers_due:
            return
        state = convert.robot_state(measurement.joints, measurement.imu, measurement.odometry)
        self._ghost_pub.publish(ghost_markers(output, self._preview, state, stamp))
        if self._policy is not None and output.policy is not None:
            self._markers_pub.publish(control_markers(output.policy, self._policy.contract, stamp))

    def _extra_values(self) -> dict[str, str]:
        if self._planning is None:
            return {}
        warning = self._planning.warning(_PLANS_BEFORE_WARNING)
        if warning and not self._warned and not self.lockstep:
            self._warned = True
            self.get_logger().warning(warning)
        output = self._output
        driven = {} if output is None else {"driver": str(output.driver), "driver_reason": output.reason,
                                            "walking": str(output.walking).lower(),
                                            "transfers": str(output.transfers)}  # fmt: skip
        identity = {} if self._policy is None else self._policy.identity()
        return {**driven, **identity, **self._planning.diagnostics()}


def main(args: list[str] | None = None) -> int:
    """Run the planner until a signal. Returns the exit code: 0 after a signal, 1 where it could not start."""
    sys.setswitchinterval(SWITCH_INTERVAL)  # the thread that plans must not keep the control loop waiting
    return run_node("cem_planner", CemPlannerNode, args)


if __name__ == "__main__":
    sys.exit(main())
