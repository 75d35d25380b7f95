"""Advantages by generalised advantage estimation (Schulman et al. 2016)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

JaxArray = jax.Array


def compute_gae(
    rewards: JaxArray,
    values: JaxArray,
    last_value: JaxArray,
    terminated: JaxArray,
    timed_out: JaxArray,
    gamma: float,
    lam: float,
) -> tuple[JaxArray, JaxArray]:
    """Return advantages and returns, (T, N) each.

    An episode that ends by time goes on in principle: its last reward is followed by gamma times the value of the state
    it ended in, for which the value before the step stands in, as the state after it is already a new episode's. One
    that terminates is followed by nothing.

    Args:
        rewards: (T, N).
        values: of the states before each step, (T, N).
        last_value: of the state after the last step, (N,).
        terminated: 1 where the step ended the episode for good, (T, N).
        timed_out: 1 where it ended by time, (T, N).
        gamma: discount per step.
        lam: of the estimator.
    """
    done = jnp.maximum(terminated, timed_out)
    rewards = rewards + gamma * values * timed_out
    following = jnp.concatenate([values[1:], last_value[None]])

    def backwards(carried: JaxArray, step: tuple[Any, ...]) -> tuple[JaxArray, JaxArray]:
        reward, value, next_value, ended = step
        delta = reward + gamma * next_value * (1.0 - ended) - value
        advantage = delta + gamma * lam * (1.0 - ended) * carried
        return advantage, advantage

    _, advantages = jax.lax.scan(
        backwards, jnp.zeros_like(last_value), (rewards, values, following, done), reverse=True
    )
    return advantages, advantages + values
