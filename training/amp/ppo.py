"""The loss of proximal policy optimisation (Schulman et al. 2017) for a Gaussian policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

JaxArray = jax.Array
_LOG_2PI = 1.8378770664093453


@dataclass(frozen=True)
class PpoSettings:
    """Numbers of the loss."""

    clip: float = 0.2
    """Of the probability ratio, and of the change of the value."""
    value: float = 1.0
    """Weight of the value loss."""


class PpoMetrics(NamedTuple):
    """Means over one batch."""

    policy_loss: JaxArray
    value_loss: JaxArray
    entropy: JaxArray
    kl: JaxArray
    """Of the old policy from the new one, nats (Schulman's estimator, never negative)."""
    clip_fraction: JaxArray


def log_probability(action: JaxArray, mean: JaxArray, log_std: JaxArray) -> JaxArray:
    """Return log densities of actions (..., A) under independent Gaussians, (...)."""
    scaled = (action - mean) * jnp.exp(-log_std)
    return jnp.sum(-0.5 * scaled**2 - log_std - 0.5 * _LOG_2PI, axis=-1)


def entropy(log_std: JaxArray) -> JaxArray:
    """Return the entropy of the Gaussian policy, nats."""
    return jnp.sum(log_std + 0.5 * (1.0 + _LOG_2PI), axis=-1)


def ppo_loss(
    new_log_probability: JaxArray,
    old_log_probability: JaxArray,
    advantage: JaxArray,
    value: JaxArray,
    old_value: JaxArray,
    returns: JaxArray,
    policy_entropy: JaxArray,
    entropy_weight: JaxArray,
    settings: PpoSettings,
) -> tuple[JaxArray, PpoMetrics]:
    """Return the loss and what to log; samples are (B,), advantages normalised."""
    log_ratio = new_log_probability - old_log_probability
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1.0 - settings.clip, 1.0 + settings.clip)
    policy_loss = -jnp.mean(jnp.minimum(ratio * advantage, clipped * advantage))
    near = old_value + jnp.clip(value - old_value, -settings.clip, settings.clip)
    value_loss = 0.5 * jnp.mean(jnp.maximum((value - returns) ** 2, (near - returns) ** 2))
    loss = policy_loss + settings.value * value_loss - entropy_weight * policy_entropy
    kl = jnp.mean(ratio - 1.0 - log_ratio)
    outside = jnp.mean(jnp.abs(ratio - 1.0) > settings.clip)
    return loss, PpoMetrics(policy_loss, value_loss, policy_entropy, kl, outside)
