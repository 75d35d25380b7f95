"""What the discriminator learns and what the policy gets from it (Peng et al. 2021, least squares)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

JaxArray = jax.Array
Judge = Callable[[Any, JaxArray], JaxArray]
"""(parameters, normalised transitions (B, D)) -> scores (B,): towards 1 for reference motion, -1 for the policy's."""


@dataclass(frozen=True)
class DiscriminatorWeights:
    """Of the regularising terms."""

    gradient_penalty: float = 5.0
    logit: float = 0.05


class DiscriminatorMetrics(NamedTuple):
    """Means over one batch."""

    loss: JaxArray
    expert: JaxArray
    """Score of reference motion."""
    agent: JaxArray
    expert_accuracy: JaxArray
    agent_accuracy: JaxArray
    gradient_penalty: JaxArray


def style_reward(score: JaxArray) -> JaxArray:
    """Return the policy's reward for a score: 1 for what looks like reference motion, 0 from a score of -1 on."""
    return jnp.maximum(0.0, 1.0 - 0.25 * (score - 1.0) ** 2)


def gradient_penalty(judge: Judge, params: Any, x: JaxArray) -> JaxArray:
    """Return the mean squared length of the scores' gradient at samples (B, D)."""
    slope = jax.grad(lambda inputs: judge(params, inputs).sum())(x)
    return jnp.mean(jnp.sum(slope**2, axis=-1))


def discriminator_loss(
    judge: Judge,
    params: Any,
    last_kernel: JaxArray,
    expert: JaxArray,
    agent: JaxArray,
    weights: DiscriminatorWeights,
) -> tuple[JaxArray, DiscriminatorMetrics]:
    """Return the loss and what to log.

    The gradient is kept small at reference motion and at a quarter of the policy's: a discriminator that is steep where
    the policy is gives it no direction.

    Args:
        judge: scores.
        params: of the discriminator.
        last_kernel: weights of its last layer, part of `params`.
        expert: normalised reference transitions, (B, D).
        agent: normalised transitions of the policy and the replay buffer, (B', D).
        weights: of the regularising terms.
    """
    on_expert, on_agent = judge(params, expert), judge(params, agent)
    fit = 0.5 * jnp.mean((on_expert - 1.0) ** 2) + 0.5 * jnp.mean((on_agent + 1.0) ** 2)
    steepness = gradient_penalty(judge, params, jnp.concatenate([expert, agent[: max(1, len(agent) // 4)]]))
    loss = fit + weights.gradient_penalty * steepness + weights.logit * jnp.sum(last_kernel**2)
    return loss, DiscriminatorMetrics(
        loss, on_expert.mean(), on_agent.mean(), (on_expert > 0.0).mean(), (on_agent < 0.0).mean(), steepness
    )
