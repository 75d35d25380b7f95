"""Fits the network to plans: squared errors of the knots, in units of the search's first sigma."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from cem_planner.cem import Numbers, initial_sigma
from cem_planner.settings import PlannerSettings

from .collect import Plans

Layers = list[tuple[jax.Array, jax.Array]]


@dataclass(frozen=True)
class Fit:
    """How it is trained."""

    hidden: tuple[int, ...] = (128, 128)
    steps: int = 6000
    batch: int = 256
    rate: float = 2e-3
    """First learning rate; it falls to nothing along a cosine."""
    held_back: float = 0.1
    """Of the plans, the last ones, on which the error is told."""
    seed: int = 0


@dataclass(frozen=True)
class Fitted:
    """What came of it."""

    layers: list[tuple[Numbers, Numbers]]
    scale: Numbers
    """Mean and deviation of the features, shape (2, NUM_FEATURES)."""
    error: float
    """Root mean square over the plans held back, in first sigmas."""
    error_of_holding: float
    """The same of knots that hold the command in force: what the network has to beat."""


def fit(plans: Plans, settings: PlannerSettings, how: Fit | None = None, log: Callable[[str], None] = print) -> Fitted:
    """Train a network on plans."""
    how = how or Fit()
    count = len(plans.seen) - max(1, int(how.held_back * len(plans.seen)))
    mean, deviation = plans.seen[:count].mean(axis=0), plans.seen[:count].std(axis=0) + 1e-3
    sigma = initial_sigma(settings).ravel()
    inputs, wanted = (plans.seen - mean) / deviation, plans.moved / sigma
    layers = _begin(jax.random.PRNGKey(how.seed), (inputs.shape[1], *how.hidden, wanted.shape[1]))
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_decay_schedule(how.rate, how.steps), weight_decay=1e-4)
    )
    state = optimiser.init(layers)

    def loss(layers: Layers, batch: jax.Array, target: jax.Array) -> jax.Array:
        return jnp.mean((_forward(layers, batch) - target) ** 2)

    @jax.jit
    def step(layers: Layers, state: Any, batch: jax.Array, target: jax.Array) -> tuple[Layers, Any]:
        updates, state = optimiser.update(jax.grad(loss)(layers, batch, target), state, layers)
        return optax.apply_updates(layers, updates), state

    random, judge = np.random.default_rng(how.seed), jax.jit(loss)
    error, best = np.inf, layers
    for turn in range(how.steps):
        rows = random.integers(0, count, how.batch)
        layers, state = step(layers, state, inputs[rows], wanted[rows])
        if (turn + 1) % max(how.steps // 12, 1) == 0:
            found = float(np.sqrt(judge(layers, inputs[count:], wanted[count:])))
            log(f"step {turn + 1}: error on plans held back {found:.3f} sigma")
            if found < error:  # the best so far is kept: with few plans it soon learns them by heart
                error, best = found, layers
    *inner, (weight, bias) = [(np.asarray(weight), np.asarray(bias)) for weight, bias in best]
    return Fitted(
        [*inner, (weight * sigma, bias * sigma)], np.stack([mean, deviation]), error,
        float(np.sqrt(np.mean(wanted[count:] ** 2))),
    )  # fmt: skip


def _begin(key: jax.Array, sizes: tuple[int, ...]) -> Layers:
    keys = jax.random.split(key, len(sizes) - 1)
    layers = [
        (jax.random.normal(key, (before, after)) / np.sqrt(before), jnp.zeros(after))
        for key, before, after in zip(keys, sizes, sizes[1:], strict=False)
    ]
    return [*layers[:-1], (0.1 * layers[-1][0], layers[-1][1])]


def _forward(layers: Layers, values: jax.Array) -> jax.Array:
    for weight, bias in layers[:-1]:
        values = jnp.tanh(values @ weight + bias)
    weight, bias = layers[-1]
    return values @ weight + bias
