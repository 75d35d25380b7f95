"""A tiny problem without a robot: the discriminator learns to tell, then the policy learns to fool it.

A step's transition is the action itself. Reference transitions lie about 0.6; the policy starts at 0 and is paid for
style alone.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from training.amp.discriminator import DiscriminatorWeights
from training.amp.normalizer import Moments
from training.amp.update import Batch, Learner, LearnerSettings, LearnerState, Metrics, Moving, Norms, make_learner

STEPS, ROBOTS, TARGET = 4, 64, 0.6
SETTINGS = LearnerSettings(
    actor_hidden=(8,), critic_hidden=(8,), disc_hidden=(16,), epochs=4, minibatches=1, disc_steps=4, disc_batch=64,
    disc_weights=DiscriminatorWeights(0.1, 0.001), disc_learning_rate=3e-3, initial_std=0.2,
)  # fmt: skip
UNIT = Moments(np.zeros(2, dtype=np.float32), np.ones(2, dtype=np.float32))
NORMS = Norms(UNIT, UNIT, UNIT)


def test_discriminator_learns_to_tell_then_the_policy_learns_to_fool_it() -> None:
    learner = make_learner(SETTINGS, 2)
    state = learner.start(jax.random.key(0), 2, 2, 2)
    rng = np.random.default_rng(0)
    expert = rng.normal(TARGET, 0.2, (512, 2)).astype(np.float32)
    moving = Moving(*(jnp.float32(value) for value in (1.5e-2, 0.0, np.log(0.2), 0.0, 1.0)))
    history: list[Metrics] = []
    actions: list[float] = []
    for iteration in range(90):
        state, metrics, action = _iterate(learner, state, expert, moving, iteration)
        history.append(metrics)
        actions.append(action)
    accuracy = [0.5 * float(m.disc.expert_accuracy + m.disc.agent_accuracy) for m in history]
    styles = [float(m.style_reward) for m in history]
    assert max(accuracy[:20]) > 0.88, "it learns to tell"
    assert np.mean(accuracy[-30:]) < 0.7, "and is fooled in the end"
    assert abs(actions[0]) < 0.1
    assert abs(np.mean(actions[-30:]) - TARGET) < 0.15, "by actions like the reference's"
    assert np.mean(styles[-30:]) > min(styles[:30]) + 0.08


def _iterate(
    learner: Learner, state: LearnerState, expert: np.ndarray, moving: Moving, iteration: int
) -> tuple[LearnerState, Metrics, float]:
    noise = np.random.default_rng(iteration).standard_normal((STEPS, ROBOTS, 2), dtype=np.float32)
    obs = np.zeros((STEPS, ROBOTS, 2), dtype=np.float32)
    action = np.stack([learner.act(state.policy, obs[t], UNIT, noise[t]) for t in range(STEPS)])
    zero = np.zeros((STEPS, ROBOTS), dtype=np.float32)
    batch = Batch(*(jnp.asarray(x) for x in (obs, obs, action, zero, zero, zero, action, obs[0])))
    replay = action.reshape(-1, 2)
    state, metrics = learner.update(
        state,
        batch,
        expert,
        replay,
        learner.minibatches(np.random.default_rng(iteration), STEPS * ROBOTS),
        jax.random.key(iteration),
        moving,
        NORMS,
    )
    return state, metrics, float(action.mean())
