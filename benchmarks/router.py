"""Inference of the routers alone as ONNX, on one core: full size, untrained, as the weights do not change the time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import onnxruntime
import torch
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS, terms_size
from torch import nn

from training.models.routers import Router, RouterInputs, build_router

from .timing import time_side_by_side

KINDS = ("obs_moe", "adaptive", "traj_attention")
LIMIT_US = 300.0
"""What a router may take of the control period, microseconds."""


class _Flat(nn.Module):
    """A router over the one group that it reads, which an ONNX file can take."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self.router, (self.group,) = router, router.groups

    def forward(self, columns: torch.Tensor) -> torch.Tensor:
        return self.router({self.group: columns})


def run() -> list[str]:
    """Return the lines of the report."""
    torch.set_num_threads(1)
    sizes = {"policy": terms_size(DEFAULT_TERMS), "router": terms_size(ROUTER_TERMS)}
    calls: dict[str, Callable[[], object]] = {}
    for kind in KINDS:
        flat = _Flat(build_router({"kind": kind}, RouterInputs(DEFAULT_TERMS, ROUTER_TERMS, 2, 2))).eval()
        columns = np.random.default_rng(0).normal(size=(1, sizes[flat.group])).astype(np.float32)
        calls[kind] = partial(_session(flat, columns).run, ["weights"], {"columns": columns})
    times = time_side_by_side(calls)
    return [
        f"router {kind}, ONNX, one core: p50 / p99 {time} ({time.p50 / LIMIT_US:.0%} of the {LIMIT_US:.0f} us allowed)"
        for kind, time in times.items()
    ]


def _session(module: nn.Module, example: np.ndarray) -> onnxruntime.InferenceSession:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in training.export: shapes that become constants
        torch.onnx.export(
            module, (torch.from_numpy(example),), buffer,  # type: ignore[arg-type]
            opset_version=17, dynamo=False, input_names=["columns"], output_names=["weights"],
        )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
