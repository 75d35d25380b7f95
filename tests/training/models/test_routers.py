"""Routers: shapes, temperature, top-k, noise, difficulty, tokens, settings by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.observation import DEFAULT_TERMS, ROUTER_TERMS, ObservationBuilder

from training.models.routers import (
    AdaptiveObsMoE,
    ConstantRouter,
    GivenRouter,
    ObsMoE,
    RouterInputs,
    RoutingOptions,
    TokenLayout,
    TrajAttentionRouter,
    build_router,
)
from training.models.routers.adaptive import LOWEST_TEMPERATURE, TrackingDifficulty
from training.models.routers.columns import find_term
from training.models.routers.routing import route

from .fixtures import ROUTER_SIZE, SIZE, observations

LEARNED = ("obs_moe", "adaptive", "traj_attention")


def _router(kind: str, experts: int = 2, groups: int = 1, **options: Any) -> Any:
    torch.manual_seed(0)
    return build_router({"kind": kind, **options}, RouterInputs(DEFAULT_TERMS, ROUTER_TERMS, experts, groups))


@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.parametrize(("experts", "groups"), [(2, 1), (3, 2), (5, 2)])
def test_weights_sum_to_one_and_start_near_uniform(kind: str, experts: int, groups: int) -> None:
    weights = _router(kind, experts, groups)(observations(10))
    assert weights.shape == (10, groups, experts)
    torch.testing.assert_close(weights.sum(-1), torch.ones(10, groups))
    assert (weights - 1 / experts).abs().max() < 0.1


@pytest.mark.parametrize("kind", LEARNED)
def test_preference_starts_each_group_at_its_expert(kind: str) -> None:
    weights = _router(kind, groups=2, preference=2.0)(observations(10)).mean(dim=0)
    torch.testing.assert_close(weights, torch.softmax(2.0 * torch.eye(2), dim=-1), atol=0.05, rtol=0)


def test_obs_moe_as_in_the_document() -> None:
    gate = ObsMoE(SIZE, [128, 64], 2)
    plain = observations()["policy"]
    assert [layer.out_features for layer in gate.mlp if isinstance(layer, torch.nn.Linear)] == [128, 64, 2]
    torch.testing.assert_close(gate(plain), gate({"policy": plain}))


def test_temperature_flattens_and_sharpens() -> None:
    logits = torch.tensor([[[2.0, 0.0, -1.0]]])
    weights = {t: route(logits, RoutingOptions(temperature=t), False) for t in (0.5, 1.0, 100.0)}
    torch.testing.assert_close(weights[1.0], torch.softmax(logits, dim=-1))
    torch.testing.assert_close(weights[0.5], torch.softmax(2 * logits, dim=-1))
    assert (weights[100.0] - 1 / 3).abs().max() < 0.01


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("k", [1, 2])
def test_top_k_keeps_exactly_k_and_renormalises(training: bool, k: int) -> None:
    logits = torch.randn(50, 2, 4)
    weights = route(logits, RoutingOptions(top_k=k), training)
    assert ((weights > 0).sum(-1) == k).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(50, 2))
    kept = torch.topk(torch.softmax(logits, -1), k, dim=-1)
    torch.testing.assert_close(weights.gather(-1, kept.indices), kept.values / kept.values.sum(-1, keepdim=True))


def test_equal_logits_keep_exactly_k() -> None:
    assert ((route(torch.zeros(3, 1, 4), RoutingOptions(top_k=2), False) > 0).sum(-1) == 2).all()


@pytest.mark.parametrize("k", [1, 2])
def test_top_k_passes_gradients_to_all_logits_in_training(k: int) -> None:
    logits = torch.randn(1, 1, 4, requires_grad=True)
    (route(logits, RoutingOptions(top_k=k), True) * torch.arange(4.0)).sum().backward()
    assert logits.grad is not None and (logits.grad != 0).all()


def test_noise_only_in_train_mode() -> None:
    router, obs = _router("obs_moe", noise=0.5), observations()
    assert not torch.equal(router(obs), router(obs))
    router.eval()
    torch.testing.assert_close(router(obs), _router("obs_moe").eval()(obs), rtol=0, atol=0)


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"top_k": 0}, {"top_k": 3}, {"noise": -1.0}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        _router("obs_moe", **options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "mlp"}, r"unknown router kind 'mlp'; there are obs_moe, adaptive"),
        ({}, "unknown router kind None"),
        ({"kind": "obs_moe", "width": 3}, r"obs_moe has no option width; it has hidden_dims"),
        ({"kind": "given", "noise": 3}, r"given has no option noise; it has none"),
        ({"kind": "obs_moe", "hidden_dims": 7}, r"router obs_moe: "),
        ({"kind": "constant"}, r"router constant: .*weights"),
        ({"kind": "constant", "weights": [[0.2, 0.3, 0.5]]}, r"weights for 3 experts, there are 2"),
        ({"kind": "traj_attention", "heads": 5}, r"width 32 cannot be shared by 5 heads"),
    ],
)
def test_wrong_settings_are_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        build_router(settings, RouterInputs(DEFAULT_TERMS, ROUTER_TERMS, 2, 1))
    assert "\n" not in str(error.value)


def test_given_weights_come_from_the_mixing_group() -> None:
    obs = {"mixing": torch.tensor([[0.3, 0.8]])}
    torch.testing.assert_close(GivenRouter()(obs), torch.tensor([[[0.3, 0.7], [0.8, 0.2]]]))
    with pytest.raises(ValueError, match="two experts, not 3"):
        GivenRouter(3)


@pytest.mark.parametrize("weights", [[[0.5, 0.6]], [[1.5, -0.5]], [0.5, 0.5]])
def test_constant_weights_must_be_shares(weights: Any) -> None:
    with pytest.raises(ValueError, match="shares that sum to 1"):
        ConstantRouter(weights)


# --- difficulty ------------------------------------------------------------------------------------------------------


def _observed(builder: ObservationBuilder, **changes: Any) -> torch.Tensor:
    times = len(builder.times)
    q = np.zeros((1, NUM_JOINTS))
    pose = builder.arm.ee_transform(q[:, -6:])
    values: dict[str, Any] = {
        "orientation": np.array([[0.0, 0, 0, 1]]),
        "angular_velocity": np.zeros((1, 3)),
        "joint_position": q,
        "joint_velocity": np.zeros((1, NUM_JOINTS)),
        "velocity_command": np.zeros((1, 3)),
        "target_position": np.tile(pose[:, None, :3, 3], (1, times, 1)),
        "target_rotation": np.tile(pose[:, None, :3, :3], (1, times, 1, 1)),
        "last_action": np.zeros((1, NUM_JOINTS)),
    }
    return torch.from_numpy(builder.build(builder.inputs(**{**values, **changes})))


def test_difficulty_reads_errors_from_the_real_observation() -> None:
    builder, difficulty = ObservationBuilder(DEFAULT_TERMS), TrackingDifficulty(DEFAULT_TERMS)
    torch.testing.assert_close(difficulty(_observed(builder)), torch.zeros(1, 3), atol=1e-5, rtol=0)
    moved = builder.arm.ee_position(np.zeros((1, 6)))[:, None] + np.array([0.0, 0.2, 0.0])
    far = _observed(builder, target_position=np.tile(moved, (1, len(builder.times), 1)))
    torch.testing.assert_close(difficulty(far), torch.tensor([[2.0, 0.0, 0.0]]), atol=1e-5, rtol=0)
    turning = _observed(builder, velocity_command=np.array([[0, 0, 0.5]]), angular_velocity=np.array([[0.3, 0.0, 0.1]]))
    torch.testing.assert_close(difficulty(turning), torch.tensor([[0.0, 0.0, 1.0]]), atol=1e-5, rtol=0)
    turned = np.tile(np.diag([1.0, -1.0, -1.0]), (1, len(builder.times), 1, 1))
    assert difficulty(_observed(builder, target_rotation=turned))[0, 1] > 1


def test_difficulty_needs_its_terms_by_name() -> None:
    terms = tuple(term for term in DEFAULT_TERMS if term.name != "ee_preview")
    with pytest.raises(ValueError, match="no term 'ee_preview'; it has angular_velocity"):
        TrackingDifficulty(terms)


def test_adaptive_temperature_follows_the_difficulty() -> None:
    router = _router("adaptive")
    assert isinstance(router, AdaptiveObsMoE)
    near, far = torch.zeros(1, SIZE), torch.zeros(1, SIZE)
    _, columns = find_term(DEFAULT_TERMS, "ee_preview")
    for observation in (near, far):
        observation[0, [columns.start + 3, columns.start + 7]] = 1.0
    far[0, columns.start] = 0.3
    torch.testing.assert_close(router.temperature(near), torch.ones(1))
    torch.testing.assert_close(router.temperature(far), torch.ones(1))  # until it has learned otherwise
    with torch.no_grad():
        router.slope[0] = -1.0
        router.mlp[-1].bias.copy_(torch.tensor([1.0, 0.0]))
    assert LOWEST_TEMPERATURE <= router.temperature(far) < router.temperature(near)
    assert router(far)[0, 0, 0] > router(near)[0, 0, 0] + 0.1  # lower temperature: more of a choice


# --- attention -------------------------------------------------------------------------------------------------------


def test_tokens_gather_all_terms_of_one_step() -> None:
    layout = TokenLayout.from_terms(ROUTER_TERMS)
    assert layout == TokenLayout((3, 3, 3, 6), 5, 10, 5) and layout.size == ROUTER_SIZE
    past = [[[100 * term + step] * size for step in range(5)] for term, size in enumerate(layout.history_sizes)]
    flat = [v for term in past for step in term for v in step] + [v for token in range(5) for v in [1000 + token] * 10]
    history, path = TrajAttentionRouter(layout).tokens(torch.tensor([flat], dtype=torch.float32))
    for step in range(5):
        assert history[0, step].tolist() == [step] * 3 + [100 + step] * 3 + [200 + step] * 3 + [300 + step] * 6
    assert path[0, :, 0].tolist() == [1000, 1001, 1002, 1003, 1004]


@pytest.mark.parametrize("terms", [(), DEFAULT_TERMS, ROUTER_TERMS[:-1], ROUTER_TERMS[::-1]])
def test_attention_needs_history_and_path(terms: Any) -> None:
    with pytest.raises(ValueError, match="one common history and then one with future times"):
        TokenLayout.from_terms(terms)


def test_attention_looks_at_every_token() -> None:
    router, obs = _router("traj_attention").eval(), observations(1)
    values = obs["router"].clone().requires_grad_(True)
    router.logits({"router": values})[0, 0, 0].backward()
    assert values.grad is not None and (values.grad != 0).all()


def test_attention_bounds_columns_that_never_varied() -> None:
    router = _router("traj_attention")
    for _ in range(3):
        router.update_normalization({"router": torch.ones(8, ROUTER_SIZE)})
    a, b = (router.eval()({"router": torch.full((1, ROUTER_SIZE), value)}) for value in (2.0, 1e6))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
