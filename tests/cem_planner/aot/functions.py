"""Small functions to compile, and one way to start them, in the test's process or in one of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cem_planner.aot import Compiled, Fingerprint, build_or_load, take_fingerprint

NAME = "tiny"
MODULE = "tests.cem_planner.aot.functions"  # also where it runs as __main__
X = np.linspace(-1.0, 1.0, 6, dtype=np.float32)
WEIGHTS = {"gain": np.float32(2.0), "offset": np.zeros(6, np.float32)}


def tiny(x: jax.Array, weights: dict[str, jax.Array]) -> dict[str, Any]:
    """Sorts, since an executable that sorts can be saved only before its first call."""
    y = weights["gain"] * jnp.tanh(x) + weights["offset"]
    return {"y": y, "sorted": (jnp.sort(-y), jax.lax.top_k(y, 2)[1])}


def solve(x: jax.Array, weights: dict[str, jax.Array]) -> jax.Array:
    """Calls LAPACK, whose pointers a loaded executable finds unset."""
    matrix = jnp.outer(x, x) + weights["gain"] * jnp.eye(6)
    return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(matrix), True), x)


FUNCTIONS: dict[str, Callable[..., Any]] = {NAME: tiny, "solve": solve}


def fingerprint(**settings: object) -> Fingerprint:
    """Of the tests' functions."""
    return take_fingerprint(settings=settings or {"knots": 4}, sources=[MODULE], model=b"model")


def start(directory: Path, wanted: Fingerprint | None = None, name: str = NAME, **options: Any) -> Compiled:
    """Build or load one of `FUNCTIONS`."""
    return build_or_load(FUNCTIONS[name], (X, WEIGHTS), wanted or fingerprint(), directory, name, **options)


def expected(name: str = NAME) -> np.ndarray:
    """First array of what the function returns for the examples, in NumPy."""
    if name == "solve":
        return np.linalg.solve(np.outer(X, X) + 2.0 * np.eye(6), X)
    return 2.0 * np.tanh(X)


def first_array(result: Any) -> np.ndarray:
    """Of a function's result."""
    return np.asarray(result["y"] if isinstance(result, dict) else result)


if __name__ == "__main__":  # a start in a process of its own: prints its rung
    compiled = start(Path(sys.argv[1]), name=sys.argv[2])
    np.testing.assert_allclose(first_array(compiled.call(X, WEIGHTS)), expected(sys.argv[2]), atol=1e-5)
    print(compiled.rung)
