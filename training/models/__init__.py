"""Networks: experts, routers and their mixture; policies from checkpoints and ONNX files."""
