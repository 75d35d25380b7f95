"""The mixture-of-experts controller: contract, observation, ONNX policy, node, and the graph description."""
