"""Advantages, normaliser, replay buffer, gradient penalty and losses against small references of their own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.amp.discriminator import (
    DiscriminatorWeights,
    discriminator_loss,
    gradient_penalty,
    style_reward,
)
from training.amp.gae import compute_gae
from training.amp.networks import actor, discriminator, elu, forward, numpy_forward
from training.amp.normalizer import RunningNormalizer
from training.amp.ppo import PpoSettings, entropy, log_probability, ppo_loss
from training.amp.replay import ReplayBuffer
from training.amp.update import LearnerSettings, make_learner

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


# -- advantages --------------------------------------------------------------------------------------------------------


def _gae_by_sums(
    rewards: Array,
    values: Array,
    last: float,
    ended: NDArray[np.bool_],
    by_time: NDArray[np.bool_],
    g: float,
    lam: float,
) -> Array:
    """Sum the discounted errors of one robot forwards from every step, as the paper writes it."""
    count = len(rewards)
    following = np.append(values[1:], last)
    result = np.zeros(count)
    for begin in range(count):
        weight = 1.0
        for t in range(begin, count):
            done = ended[t] or by_time[t]
            beyond = values[t] if by_time[t] else (0.0 if ended[t] else following[t])
            result[begin] += weight * (rewards[t] + g * beyond - values[t])
            if done:
                break
            weight *= g * lam
    return result


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_advantages_are_the_sums_of_the_paper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps, robots, gamma, lam = 9, 3, 0.97, 0.9
    rewards, values = rng.normal(size=(2, steps, robots))
    last = rng.normal(size=robots)
    kind = rng.integers(0, 6, (steps, robots))
    ended, by_time = kind == 0, kind == 1
    r, v, after, end, out = (jnp.asarray(x, dtype=jnp.float32) for x in (rewards, values, last, ended, by_time))
    advantages, returns = compute_gae(r, v, after, end, out, gamma, lam)
    for i in range(robots):
        wanted = _gae_by_sums(rewards[:, i], values[:, i], last[i], ended[:, i], by_time[:, i], gamma, lam)
        np.testing.assert_allclose(advantages[:, i], wanted, atol=1e-4)
    np.testing.assert_allclose(returns, advantages + values, atol=1e-5)


# -- normaliser --------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 1000))
def test_running_moments_are_those_of_all_samples(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(3.0, 5.0, (size, 4)) for size in sizes]
    norm = RunningNormalizer(4, limit=10_000)
    for part in parts:
        norm.update(part)
    whole = np.concatenate(parts)
    mean, std = norm.moments()
    np.testing.assert_allclose(mean, whole.mean(axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(std, whole.std(axis=0) + norm.FLOOR, rtol=1e-5, atol=1e-5)


def test_normaliser_freezes_after_its_samples() -> None:
    norm = RunningNormalizer(2, limit=30)
    norm.update(np.ones((20, 2)))
    assert not norm.frozen
    norm.update(np.zeros((20, 2)))
    assert norm.frozen and norm.count == 40
    before = norm.moments()
    norm.update(np.full((100, 2), 50.0))
    np.testing.assert_array_equal(before.mean, norm.moments().mean)
    np.testing.assert_array_equal(before.std, norm.moments().std)


def test_normaliser_goes_on_from_its_state_and_refuses_another_size() -> None:
    rng = np.random.default_rng(0)
    norm, other = RunningNormalizer(3, 1000), RunningNormalizer(3, 1000)
    norm.update(rng.normal(size=(50, 3)))
    other.load(norm.state())
    more = rng.normal(size=(50, 3))
    norm.update(more)
    other.update(more)
    np.testing.assert_array_equal(norm.moments().std, other.moments().std)
    with pytest.raises(ValueError, match="3 numbers, here are 4"):
        RunningNormalizer(4, 1000).load(norm.state())


# -- replay ------------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=12), st.integers(1, 9))
def test_replay_keeps_the_newest_rows(sizes: list[int], capacity: int) -> None:
    buffer = ReplayBuffer(capacity, 1)
    all_rows: list[float] = []
    for size in sizes:
        rows = [float(len(all_rows) + k) for k in range(size)]
        all_rows += rows
        buffer.add(np.array(rows, dtype=np.float32).reshape(-1, 1))
    kept = all_rows[-capacity:]
    assert len(buffer) == len(kept)
    if kept:
        drawn = buffer.sample(np.random.default_rng(0), 300)[:, 0]
        assert set(drawn) <= set(kept)
        assert set(buffer.state()["rows"][:, 0]) == set(kept)
    else:
        with pytest.raises(ValueError, match="empty"):
            buffer.sample(np.random.default_rng(0), 1)


def test_replay_goes_on_from_its_state() -> None:
    buffer, other = ReplayBuffer(5, 2), ReplayBuffer(5, 2)
    buffer.add(np.arange(14, dtype=np.float32).reshape(7, 2))
    other.load(buffer.state())
    for one in (buffer, other):
        one.add(np.full((2, 2), -1.0, dtype=np.float32))
    np.testing.assert_array_equal(buffer.state()["rows"], other.state()["rows"])
    with pytest.raises(ValueError, match="room for"):
        ReplayBuffer(3, 2).load(buffer.state())


# -- discriminator -----------------------------------------------------------------------------------------------------


NETWORK = discriminator((8,))


def _judge(params: Any, x: jax.Array) -> jax.Array:
    return forward(NETWORK, params, x)[..., 0]


def _start() -> Any:
    return NETWORK.init(jax.random.key(0), jnp.zeros(5))


def test_gradient_penalty_is_the_squared_slope() -> None:
    params = _start()
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    step, slopes = 1e-2, np.zeros((6, 5))
    for k in range(5):
        shift = np.zeros(5, dtype=np.float32)
        shift[k] = step
        slopes[:, k] = (_judge(params, jnp.asarray(x + shift)) - _judge(params, jnp.asarray(x - shift))) / (2 * step)
    wanted = (slopes**2).sum(axis=1).mean()
    np.testing.assert_allclose(gradient_penalty(_judge, params, jnp.asarray(x)), wanted, rtol=0.05)


def test_discriminator_loss_is_made_of_its_parts() -> None:
    params = _start()
    expert, agent = jax.random.normal(jax.random.key(1), (2, 8, 5))
    kernel = params["params"]["last"]["kernel"]
    loss, metrics = discriminator_loss(_judge, params, kernel, expert, agent, DiscriminatorWeights(3.0, 0.5))
    on_expert, on_agent = np.asarray(_judge(params, expert)), np.asarray(_judge(params, agent))
    fit = 0.5 * ((on_expert - 1) ** 2).mean() + 0.5 * ((on_agent + 1) ** 2).mean()
    steep = gradient_penalty(_judge, params, jnp.concatenate([expert, agent[:2]]))
    np.testing.assert_allclose(loss, fit + 3.0 * steep + 0.5 * (np.asarray(kernel) ** 2).sum(), rtol=1e-5)
    assert metrics.expert == pytest.approx(on_expert.mean(), abs=1e-6)
    assert metrics.expert_accuracy == pytest.approx((on_expert > 0).mean())


def test_style_reward_is_one_for_reference_motion_and_zero_for_what_was_told_apart() -> None:
    np.testing.assert_allclose(style_reward(jnp.array([1.0, 0.0, -1.0, -3.0, 3.0])), [1.0, 0.75, 0.0, 0.0, 0.0])


# -- PPO ---------------------------------------------------------------------------------------------------------------


def test_the_policy_in_numpy_is_the_policy_in_jax() -> None:
    network = actor((16, 8, 8), 3)
    params = network.init(jax.random.key(0), jnp.zeros(5))
    params = jax.tree.map(lambda x: jax.random.normal(jax.random.key(x.size), x.shape), params)  # biases, too
    x = np.random.default_rng(0).normal(0.0, 2.0, (7, 5)).astype(np.float32)
    own = numpy_forward(params, x)
    assert own.dtype == np.float32
    np.testing.assert_allclose(own, forward(network, params, jnp.asarray(x)), rtol=1e-4, atol=1e-4)


def test_minibatches_have_every_sample_once_per_epoch() -> None:
    learner = make_learner(LearnerSettings(epochs=3, minibatches=4), 2)
    chosen = learner.minibatches(np.random.default_rng(0), 21)
    assert chosen.shape == (12, 5)
    epochs = chosen.reshape(3, 20)
    assert all(len(set(epoch)) == 20 and set(epoch) <= set(range(21)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


def test_log_probability_and_entropy_are_those_of_a_gaussian() -> None:
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    mean, action, log_std = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=3) * 0.3
    wanted = norm.logpdf(action, mean, np.exp(log_std)).sum(axis=-1)
    np.testing.assert_allclose(log_probability(*(jnp.asarray(x) for x in (action, mean, log_std))), wanted, rtol=1e-4)
    np.testing.assert_allclose(entropy(jnp.asarray(log_std)), norm.entropy(0, np.exp(log_std)).sum(), rtol=1e-5)


def test_ppo_loss_by_hand() -> None:
    old = jnp.zeros(3)
    new = jnp.log(jnp.array([1.5, 0.5, 1.1]))
    advantage = jnp.array([1.0, -1.0, 2.0])
    value, old_value, returns = jnp.array([1.0, 0.0, 0.0]), jnp.zeros(3), jnp.array([0.5, 1.0, 0.0])
    loss, metrics = ppo_loss(
        new, old, advantage, value, old_value, returns, jnp.array(2.0), jnp.array(0.1), PpoSettings(0.2, 1.0)
    )
    # 1.5 is clipped to 1.2; 0.5 with a negative advantage counts as 0.8, the worse of both; 1.1 is inside
    policy = -np.mean([1.2, -0.8, 2.2])
    # the value may move by 0.2: max((1 - .5)^2, (.2 - .5)^2), max(1, 1), 0
    assert metrics.policy_loss == pytest.approx(policy, rel=1e-5)
    assert metrics.value_loss == pytest.approx(0.5 * np.mean([0.25, 1.0, 0.0]), rel=1e-5)
    assert loss == pytest.approx(policy + metrics.value_loss - 0.2, rel=1e-5)
    assert metrics.clip_fraction == pytest.approx(2 / 3, rel=1e-5)
    assert metrics.kl > 0


# -- networks ----------------------------------------------------------------------------------------------------------


def test_elu_and_its_slope() -> None:
    x = jnp.array([-30.0, -2.0, -0.1, 0.1, 2.0, 30.0])
    assert elu(x) == pytest.approx(np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0))), abs=1e-6)
    assert jax.vmap(jax.grad(elu))(x) == pytest.approx(np.where(x > 0.0, 1.0, np.exp(np.minimum(x, 0.0))), abs=1e-6)
