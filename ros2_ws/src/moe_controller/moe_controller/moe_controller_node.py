"""The node of the policy alone: `controller.MoeController` in a `ControlNode`."""

from __future__ import annotations

import sys
from typing import Any

from robot_bridge.run_node import run_node
from std_msgs.msg import Float64MultiArray
from visualization_msgs.msg import MarkerArray

from .contract import ContractError
from .control_node import ControlNode, Core
from .controller import ControlOutput, MoeController, weights_entropy
from .markers import control_markers, weights_message
from .policy import OnnxPolicy, PolicyError, PolicyFault
from .shipped import shipped_model
from .state_assembler import Measurement


class MoeControllerNode(ControlNode):
    """Publishes joint commands that a policy computes from the robot's state."""

    title = "policy"
    refusals = (PolicyError, ContractError, PolicyFault, ValueError)
    faults = (PolicyFault,)

    def __init__(self) -> None:
        super().__init__("moe_controller")
        self._declare("model", "", "policy file (ONNX); empty for the shipped one")
        self._declare("providers", ["CPUExecutionProvider"], "execution providers of onnxruntime, preferred first")
        self._policy: OnnxPolicy | None = None
        self._output: ControlOutput | None = None

    def _make_core(self) -> Core:
        policy = OnnxPolicy(str(self._value("model")) or shipped_model(), tuple(self._value("providers")))
        core = MoeController(policy, float(self._value("cmd_vel_timeout")))
        policy.warm_up()
        self._policy, self._output, self._model_name = policy, None, policy.path.name
        self.get_logger().info(
            f"policy {policy.path.name}: experts {', '.join(policy.contract.experts)}, "
            f"groups {', '.join(policy.contract.groups)}, {1.0 / core.control_period:g} Hz"
        )
        return core

    def _advertise_extras(self) -> None:
        self._weights_pub = self._advertise(Float64MultiArray, "moe/expert_weights")
        self._markers_pub = self._advertise(MarkerArray, "moe/markers")

    def _publish_extras(self, output: Any, measurement: Measurement, markers_due: bool) -> None:
        assert self._policy is not None
        self._output, contract = output, self._policy.contract
        self._weights_pub.publish(weights_message(output.weights, contract))
        if markers_due:
            self._markers_pub.publish(control_markers(output, contract, measurement.joints.header.stamp))

    def _extra_values(self) -> dict[str, str]:
        output = self._output
        return {
            "weights_entropy": f"{weights_entropy(output.weights).mean():.4f}" if output is not None else "nan",
            "walking": str(output.walking).lower() if output is not None else "false",
            **({} if self._policy is None else self._policy.identity()),
        }


def main(args: list[str] | None = None) -> int:
    """Run the controller until a signal. Returns the exit code: 0 after a signal, 1 where it could not start."""
    return run_node("moe_controller", MoeControllerNode, args)


if __name__ == "__main__":
    sys.exit(main())
