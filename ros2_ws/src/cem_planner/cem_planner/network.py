"""A small network that proposes knots, trained on the planner's own plans by `python -m training.planner`.

It is one candidate among others: where it is wrong it costs its share of the samples. NumPy only; a file is an npz
without pickles that carries the plan it was made for and a digest of its numbers.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray

from .coordinates import ARM_SLICE_12, NUM_COORDINATES
from .problem import Problem
from .settings import PlannerSettings
from .stance import NOMINAL_TRUNK, trunk_rotation

Numbers = NDArray[np.float32]

SCHEMA = 1
NUM_FEATURES = 4 * NUM_COORDINATES + 3 + 9 + 1 + 3 + 9
LARGEST_FILE = 64 * 1024 * 1024
"""bytes; what the training writes has half a megabyte."""


class NetworkError(ValueError):
    """A network cannot be used; one line says which, why and what to do."""


_ARM = ArmKinematics()


def features(problem: Problem) -> Numbers:
    """Return what the network sees, shape (NUM_FEATURES,): state, command, offset, goal, and how far the command in
    force is from it. A free orientation is 0.
    """
    goal, turned = problem.goal, float(problem.goal.orientation_weight > 0.0)
    place = problem.previous_command + problem.offset
    trunk, pose = trunk_rotation(place), _ARM.ee_transform(place[ARM_SLICE_12])
    left = goal.position - (trunk @ pose[:3, 3] + place[:3] + NOMINAL_TRUNK)
    parts = (
        problem.previous_command, problem.state.position - problem.previous_command, problem.state.velocity,
        problem.offset, goal.position - NOMINAL_TRUNK, turned * goal.rotation.ravel(), [turned],
        left, turned * ((trunk @ pose[:3, :3]).T @ goal.rotation).ravel(),
    )  # fmt: skip
    return np.concatenate(parts).astype(np.float32)


class PlanNetwork:
    """Proposes knots for a problem of the body. Deterministic, without memory."""

    def __init__(self, path: str | Path, settings: PlannerSettings) -> None:
        """Load a file.

        Args:
            path: npz that the training wrote.
            settings: of the plans that it shall propose; knots, horizon and spline must be those of its training.

        Raises:
            NetworkError: the file is missing, damaged, of another kind or for other plans.
        """
        name, arrays = f"network {path}", _read(Path(path))
        for key, wanted in _plan(settings).items():
            if arrays.meta.get(key) != wanted:
                raise NetworkError(
                    f"{name}: made for {key} {arrays.meta.get(key)}, the planner has {wanted}: train it anew "
                    "(python -m training.planner)"
                )
        self._layers, self._scale = arrays.layers, arrays.scale
        self._shape = (settings.num_knots, NUM_COORDINATES)
        sizes = [self._scale.shape[1], *(len(bias) for _, bias in self._layers)]
        chained = all(
            weight.shape == (before, after)
            for (weight, _), before, after in zip(self._layers, sizes[:-1], sizes[1:], strict=True)
        )
        if sizes[0] != NUM_FEATURES or sizes[-1] != np.prod(self._shape) or not chained:
            raise NetworkError(f"{name}: layers of sizes {sizes} do not fit a plan: train it anew")

    def knots(self, problem: Problem) -> Numbers:
        """Return a proposal, m and rad, shape (K, 12); of finite problems."""
        values = (features(problem) - self._scale[0]) / self._scale[1]
        for weight, bias in self._layers[:-1]:
            values = np.tanh(values @ weight + bias)
        weight, bias = self._layers[-1]
        moved = (values @ weight + bias).reshape(self._shape)
        return np.asarray(problem.previous_command + moved, dtype=np.float32)


def save(
    path: Path, layers: Sequence[tuple[Numbers, Numbers]], scale: Numbers, settings: PlannerSettings, made: str
) -> None:
    """Write a network.

    Args:
        path: file to write, npz.
        layers: weights, shape (before, after), and biases, shape (after,), of each; the last gives knots less the
            command in force, m and rad.
        scale: mean and deviation of the features, shape (2, NUM_FEATURES).
        settings: of the plans that it was trained on.
        made: how, in a line.
    """
    arrays: dict[str, Any] = {"scale": scale.astype(np.float32)}
    for index, (weight, bias) in enumerate(layers):
        arrays |= {f"weight{index}": weight.astype(np.float32), f"bias{index}": bias.astype(np.float32)}
    meta = {"schema": SCHEMA, "layers": len(layers), "made": made, **_plan(settings)}
    text = np.array(json.dumps(meta))
    np.savez(path, **arrays, meta=text, digest=np.array(_digest(arrays, str(text))))


def _plan(settings: PlannerSettings) -> dict[str, object]:
    return {"num_knots": settings.num_knots, "plan_horizon": settings.plan_horizon, "spline": settings.spline}


class _File(NamedTuple):
    """What a file holds."""

    meta: dict[str, object]
    layers: list[tuple[Numbers, Numbers]]
    scale: Numbers


def _read(path: Path) -> _File:
    name = f"network {path}"
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise NetworkError(f"{name} is larger than any network: check the path")
        with np.load(path, allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
        text, digest = str(found.pop("meta")), str(found.pop("digest"))
        meta = json.loads(text)
        if meta["schema"] != SCHEMA:
            raise NetworkError(f"{name} has schema {meta['schema']}, this software reads {SCHEMA}: train it anew")
        if digest != _digest(found, text):
            raise NetworkError(f"{name} is damaged (its digest differs): copy or train it anew")
        layers = [(found[f"weight{index}"], found[f"bias{index}"]) for index in range(meta["layers"])]
        scale = found["scale"]
    except OSError as error:
        raise NetworkError(f"{name} cannot be read ({error.strerror or 'no npz'}): check the path") from None
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, NetworkError):
            raise
        raise NetworkError(f"{name} is no network of this project: train one (python -m training.planner)") from None
    if not layers or not all(np.isfinite(array).all() for array in found.values()):
        raise NetworkError(f"{name} has numbers that are not finite: train it anew")
    return _File(meta, layers, scale)


def _digest(arrays: dict[str, Numbers], meta: str) -> str:
    digest = hashlib.sha256(meta.encode())
    for key in sorted(arrays):
        digest.update(f"{key} {arrays[key].dtype} {arrays[key].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()
