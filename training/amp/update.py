"""One training iteration on a rollout, in one jitted function: rewards, advantages, PPO, discriminator."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from .discriminator import DiscriminatorMetrics, DiscriminatorWeights, discriminator_loss, style_reward
from .gae import compute_gae
from .networks import actor, clipped, critic, discriminator, forward, normalized, numpy_forward
from .normalizer import Moments
from .ppo import PpoMetrics, PpoSettings, entropy, log_probability, ppo_loss

JaxArray = jax.Array
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LearnerSettings:
    """What shapes the compiled update; a change compiles anew."""

    actor_hidden: tuple[int, ...] = (128, 64)
    critic_hidden: tuple[int, ...] = (128, 64)
    disc_hidden: tuple[int, ...] = (128, 64)
    epochs: int = 4
    minibatches: int = 4
    gamma: float = 0.99
    lam: float = 0.95
    ppo: PpoSettings = PpoSettings()
    max_gradient: float = 1.0
    disc_steps: int = 8
    disc_batch: int = 512
    """Reference transitions per step; as many of the policy's, half of them from the replay buffer."""
    disc_weights: DiscriminatorWeights = DiscriminatorWeights()
    disc_learning_rate: float = 1e-4
    disc_weight_decay: float = 1e-4
    disc_max_gradient: float = 5.0
    initial_std: float = 0.5


class Parameters(NamedTuple):
    """Of the networks."""

    actor: Any
    log_std: JaxArray
    """(A,)"""
    critic: Any


class LearnerState(NamedTuple):
    """All that an update changes."""

    policy: Parameters
    policy_optimizer: Any
    disc: Any
    disc_optimizer: Any


class Moving(NamedTuple):
    """Numbers that change from iteration to iteration; none of them compiles anew."""

    learning_rate: JaxArray
    entropy_weight: JaxArray
    max_log_std: JaxArray
    task_weight: JaxArray
    disc_weight: JaxArray


class Norms(NamedTuple):
    """The normalisers' moments that the rollout was made with."""

    obs: Moments
    critic_obs: Moments
    disc: Moments


class Batch(NamedTuple):
    """A rollout, (T, N, ...)."""

    obs: JaxArray
    critic_obs: JaxArray
    action: JaxArray
    task_reward: JaxArray
    terminated: JaxArray
    timed_out: JaxArray
    transition: JaxArray
    """What the discriminator sees of each step, the states before and after it, (T, N, D)."""
    last_critic_obs: JaxArray
    """(N, ...)"""


class Metrics(NamedTuple):
    """Means over an update."""

    ppo: PpoMetrics
    disc: DiscriminatorMetrics
    task_reward: JaxArray
    style_reward: JaxArray


@functools.lru_cache(maxsize=8)
def make_learner(settings: LearnerSettings, actions: int) -> Learner:
    """Return the learner of these settings; the same one for the same settings, so that nothing is compiled twice."""
    return Learner(settings, actions)


class Learner:
    """Networks and optimisers, as plain functions of their state."""

    def __init__(self, settings: LearnerSettings, actions: int) -> None:
        self.settings, self.actions = settings, actions
        s = settings
        self.actor, self.critic = actor(s.actor_hidden, actions), critic(s.critic_hidden)
        self.disc = discriminator(s.disc_hidden)
        self._policy_optimizer = optax.chain(
            optax.clip_by_global_norm(s.max_gradient), optax.scale_by_adam(eps=1e-8)
        )  # the learning rate is an argument of the update
        self._disc_optimizer = optax.chain(
            optax.clip_by_global_norm(s.disc_max_gradient),
            optax.adamw(s.disc_learning_rate, weight_decay=s.disc_weight_decay),
        )
        self.update = jax.jit(self._update)
        self.mean_action = jax.jit(self._mean_action)
        self.style = jax.jit(self._style)

    def start(self, key: JaxArray, obs_size: int, critic_size: int, disc_size: int) -> LearnerState:
        """Return networks with random weights."""
        keys = jax.random.split(key, 3)
        policy = Parameters(
            self.actor.init(keys[0], jnp.zeros(obs_size)),
            jnp.full(self.actions, jnp.log(self.settings.initial_std), dtype=jnp.float32),
            self.critic.init(keys[1], jnp.zeros(critic_size)),
        )
        disc = self.disc.init(keys[2], jnp.zeros(disc_size))
        return LearnerState(policy, self._policy_optimizer.init(policy), disc, self._disc_optimizer.init(disc))

    @staticmethod
    def act(policy: Parameters, obs: Floats, norm: Moments, noise: Floats) -> Floats:
        """Return actions (N, A) for observations (N, D) and standard normal noise (N, A)."""
        mean = numpy_forward(policy.actor, (obs - norm.mean) / norm.std)
        return mean + np.exp(np.asarray(policy.log_std)) * noise

    def minibatches(self, rng: np.random.Generator, samples: int) -> NDArray[np.int32]:
        """Return the samples of each step of the policy, every one once per epoch, (epochs * minibatches, B).

        NumPy shuffles in a fraction of the time that a permutation by sorting takes on a CPU, JAX's way.
        """
        s = self.settings
        size = samples // s.minibatches
        orders = np.stack([rng.permutation(samples)[: size * s.minibatches] for _ in range(s.epochs)])
        return orders.reshape(s.epochs * s.minibatches, size).astype(np.int32)

    # -- what is jitted ------------------------------------------------------------------------------------------------

    def _mean_action(self, policy: Parameters, obs: JaxArray, norm: Moments) -> JaxArray:
        return forward(self.actor, policy.actor, normalized(obs, norm))

    def _style(self, disc: Any, transitions: JaxArray, norm: Moments) -> JaxArray:
        return style_reward(self._judge(disc, clipped(transitions, norm)))

    def _judge(self, disc: Any, x: JaxArray) -> JaxArray:
        return forward(self.disc, disc, x)[..., 0]

    def _update(
        self,
        state: LearnerState,
        batch: Batch,
        expert: JaxArray,
        replay: JaxArray,
        minibatches: JaxArray,
        key: JaxArray,
        moving: Moving,
        norms: Norms,
    ) -> tuple[LearnerState, Metrics]:
        """Learn from one rollout.

        Args:
            state: before.
            batch: the rollout.
            expert: reference transitions, (M, D).
            replay: transitions of earlier policies, (R, D).
            minibatches: samples of each step of the policy, from `minibatches`.
            key: of what the discriminator's batches are drawn with.
            moving: see there.
            norms: see there.
        """
        transitions = clipped(batch.transition, norms.disc)
        style = style_reward(self._judge(state.disc, transitions))
        rewards = moving.task_weight * batch.task_reward + moving.disc_weight * style
        policy, policy_optimizer, ppo_metrics = self._learn_policy(state, batch, rewards, minibatches, moving, norms)
        agent = transitions.reshape(-1, transitions.shape[-1])
        known = clipped(expert, norms.disc)
        old = clipped(replay, norms.disc)
        disc, disc_optimizer, disc_metrics = self._learn_disc(state, agent, known, old, key)
        metrics = Metrics(ppo_metrics, disc_metrics, batch.task_reward.mean(), style.mean())
        return LearnerState(policy, policy_optimizer, disc, disc_optimizer), metrics

    def _learn_policy(
        self, state: LearnerState, batch: Batch, rewards: JaxArray, minibatches: JaxArray, moving: Moving, norms: Norms
    ) -> tuple[Parameters, Any, PpoMetrics]:
        s = self.settings
        obs = normalized(batch.obs, norms.obs)
        seen = normalized(batch.critic_obs, norms.critic_obs)
        last = normalized(batch.last_critic_obs, norms.critic_obs)
        values = forward(self.critic, state.policy.critic, seen)[..., 0]
        last_value = forward(self.critic, state.policy.critic, last)[..., 0]
        advantages, returns = compute_gae(
            rewards, values, last_value, batch.terminated, batch.timed_out, s.gamma, s.lam
        )
        old = log_probability(batch.action, forward(self.actor, state.policy.actor, obs), state.policy.log_std)
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        flat = jax.tree.map(
            lambda x: x.reshape(-1, *x.shape[2:]), (obs, seen, batch.action, old, advantages, values, returns)
        )

        def loss(policy: Parameters, part: Any) -> tuple[JaxArray, PpoMetrics]:
            obs, seen, action, old, advantage, value, target = part
            new = log_probability(action, forward(self.actor, policy.actor, obs), policy.log_std)
            now = forward(self.critic, policy.critic, seen)[..., 0]
            spread = entropy(policy.log_std)
            return ppo_loss(new, old, advantage, now, value, target, spread, moving.entropy_weight, s.ppo)

        def step(carried: tuple[Parameters, Any], chosen: JaxArray) -> tuple[tuple[Parameters, Any], PpoMetrics]:
            policy, optimizer = carried
            part = jax.tree.map(lambda x: x[chosen], flat)
            (_, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(policy, part)
            direction, optimizer = self._policy_optimizer.update(gradient, optimizer, policy)
            policy = jax.tree.map(lambda x, d: x - moving.learning_rate * d, policy, direction)
            return (policy._replace(log_std=jnp.minimum(policy.log_std, moving.max_log_std)), optimizer), metrics

        (policy, optimizer), metrics = jax.lax.scan(step, (state.policy, state.policy_optimizer), minibatches)
        return policy, optimizer, jax.tree.map(jnp.mean, metrics)

    def _learn_disc(
        self, state: LearnerState, agent: JaxArray, expert: JaxArray, replay: JaxArray, key: JaxArray
    ) -> tuple[Any, Any, DiscriminatorMetrics]:
        s = self.settings
        half = s.disc_batch // 2

        def loss(disc: Any, known: JaxArray, own: JaxArray) -> tuple[JaxArray, DiscriminatorMetrics]:
            kernel = disc["params"]["last"]["kernel"]
            return discriminator_loss(self._judge, disc, kernel, known, own, s.disc_weights)

        def step(carried: tuple[Any, Any], key: JaxArray) -> tuple[tuple[Any, Any], DiscriminatorMetrics]:
            disc, optimizer = carried
            keys = jax.random.split(key, 3)
            known = expert[jax.random.randint(keys[0], (s.disc_batch,), 0, len(expert))]
            fresh = agent[jax.random.randint(keys[1], (s.disc_batch - half,), 0, len(agent))]
            past = replay[jax.random.randint(keys[2], (half,), 0, len(replay))]
            # alternating, so that the part that the gradient penalty takes has both
            own = jnp.stack([fresh[:half], past], axis=1).reshape(-1, fresh.shape[-1])
            own = jnp.concatenate([own, fresh[half:]])
            (_, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(disc, known, own)
            change, optimizer = self._disc_optimizer.update(gradient, optimizer, disc)
            return (optax.apply_updates(disc, change), optimizer), metrics

        keys = jax.random.split(key, s.disc_steps)
        (disc, optimizer), metrics = jax.lax.scan(step, (state.disc, state.disc_optimizer), keys)
        return disc, optimizer, jax.tree.map(jnp.mean, metrics)
