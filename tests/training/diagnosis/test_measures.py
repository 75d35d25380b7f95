"""Figures of mixtures whose behaviour is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS

from tests.training.models.fixtures import fused
from training.diagnosis.collect import advantages
from training.diagnosis.measures import Measures, expert_distance, gradient_norms, measure, sensitivity
from training.diagnosis.samples import situation_rows, situations
from training.models.fused import FusedPolicy

from .synthetic import mixture, samples_of


def _measures(model: FusedPolicy) -> Measures:
    return measure(model, samples_of(model), DEFAULT_TERMS, ("all",))


def test_situations_are_told_apart() -> None:
    samples = samples_of(mixture())
    masks = situations(samples)
    assert set(masks) == {
        "walk", "reach", "command: none", "command: slow", "command: fast", "EE error: small", "EE error: large",
    }  # fmt: skip
    assert (masks["reach"] == masks["command: none"]).all()
    assert not (masks["command: slow"] & masks["command: fast"]).any()
    assert (samples.ee_error[masks["EE error: small"]] < 0.03).all()


def test_rare_situations_do_not_count() -> None:
    assert "command: slow" not in situations(samples_of(mixture(), n=40))


def test_rows_have_usage_and_entropy() -> None:
    rows = {row.name: row for row in situation_rows(samples_of(mixture(gain=50.0)))}
    assert rows["all"].count == 400 and rows["reach"].usage[0] == pytest.approx((0.5, 0.5))
    assert rows["walk"].usage[0][0] > 0.95
    assert rows["reach"].entropy[0] == pytest.approx(1.0) and rows["walk"].entropy[0] < 0.3


def test_constant_weights_have_no_spread() -> None:
    m = _measures(mixture(bias=1.0))
    assert m.spread < 1e-6 and m.spread_between < 1e-6 and max(m.sensitivity.values()) < 1e-6
    assert m.usage["all"] == pytest.approx((0.731, 0.269), abs=1e-3)


def test_weights_that_follow_the_command() -> None:
    m = _measures(mixture(gain=5.0))
    assert m.spread > 0.1 and m.spread_between > 0.1
    assert max(m.sensitivity, key=lambda name: m.sensitivity[name]) == "velocity_command"
    assert sum(value > 1e-6 for value in m.sensitivity.values()) == 1


def test_router_columns_have_names_of_their_own() -> None:
    model = fused({"kind": "traj_attention"})
    samples = samples_of(mixture())
    changes = sensitivity(model, samples, DEFAULT_TERMS + ROUTER_TERMS)
    assert changes["velocity_command"] == 0.0 < changes["router.velocity_command"]
    assert len(changes) == len(DEFAULT_TERMS) + len(ROUTER_TERMS)


def test_saturation_is_measured() -> None:
    assert _measures(mixture(bias=20.0)).sure == {"all": 1.0}
    assert _measures(mixture(bias=1.0)).sure == {"all": 0.0}


def test_gradients_reach_parts_that_matter() -> None:
    alive, dead = (
        gradient_norms(m, samples_of(m), DEFAULT_TERMS, (0.01, 0.01)) for m in (mixture(1.0), mixture(0, 60.0))
    )
    assert all(norm > 1e-3 for norm in alive[0].values())
    assert dead[0]["router"] < 1e-6 and dead[0]["expert_arm" if "expert_arm" in dead[0] else "arm"] < 1e-6
    assert dead[0]["base"] > 1e-3


def test_losses_on_the_weights_have_their_own_gradient() -> None:
    model = mixture(bias=1.0)
    weak, strong = (gradient_norms(model, samples_of(model), DEFAULT_TERMS, (w, w))[1] for w in (0.01, 1.0))
    assert strong == pytest.approx(100 * weak, rel=1e-3) and weak > 0


def test_measuring_leaves_the_model_alone() -> None:
    model = mixture(gain=1.0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    _measures(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not model.training and all(parameter.grad is None for parameter in model.parameters())


def test_distance_of_the_closest_experts() -> None:
    actions = torch.stack([torch.zeros(5, 18), torch.full((5, 18), 0.1), torch.full((5, 18), 2.0)], dim=1)
    assert expert_distance(actions) == pytest.approx(0.1)


def test_subset_is_always_the_same() -> None:
    samples = samples_of(mixture())
    a, b = samples.subset(50), samples.subset(50)
    assert len(a.weights) == len(a.obs) == len(a.mode) == 50 and np.array_equal(a.mode, b.mode)
    assert samples.subset(400) is samples


def test_advantages_compare_robots_in_the_same_mode() -> None:
    rewards = torch.zeros(60, 4)
    rewards[:, 0], rewards[:, 1], rewards[:, 2], rewards[:, 3] = 1.0, 2.0, 100.0, 101.0
    modes = torch.tensor([0, 0, 1, 1]).repeat(60, 1)
    result = advantages(rewards, torch.zeros(60, 4), modes)
    torch.testing.assert_close(result[:5, 0], result[:5, 2], rtol=1e-3, atol=1e-3)
    assert (result[:, 1] > 0).all() and (result[:, 0] < 0).all()


def test_advantages_end_with_the_episode() -> None:
    rewards, dones = torch.zeros(10, 2), torch.zeros(10, 2)
    rewards[9, 0] = 1.0
    dones[4, 0] = 1.0
    result = advantages(rewards, dones, torch.zeros(10, 2, dtype=torch.long))
    assert result[4, 0] == 0.0 < result[5, 0]
