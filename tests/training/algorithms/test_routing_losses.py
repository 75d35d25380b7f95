"""The load-balance loss: minimum where experts are used alike, whatever the size of the batch."""

from __future__ import annotations

import math

import pytest
import torch

from training.algorithms.routing_losses import entropy, load_balance, mean_entropy, pull_to_uniform


def _weights(n: int, groups: int = 2, experts: int = 3, sharpness: float = 2.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.softmax(sharpness * torch.randn(n, groups, experts, generator=generator), dim=-1)


def test_switch_formula() -> None:
    weights = torch.tensor([[[0.7, 0.3]], [[0.6, 0.4]], [[0.1, 0.9]]])
    f, p = (2 / 3, 1 / 3), (1.4 / 3, 1.6 / 3)
    assert load_balance(weights).item() == pytest.approx(2 * (f[0] * p[0] + f[1] * p[1]))


@pytest.mark.parametrize("loss", [load_balance, pull_to_uniform])
def test_twice_the_batch_same_value(loss) -> None:  # type: ignore[no-untyped-def]
    weights = _weights(64)
    torch.testing.assert_close(loss(weights), loss(weights.repeat(2, 1, 1)))


@pytest.mark.parametrize(("loss", "least"), [(load_balance, 1.0), (pull_to_uniform, 0.0)])
def test_least_where_experts_are_used_alike(loss, least: float) -> None:  # type: ignore[no-untyped-def]
    alike = torch.eye(3)[torch.arange(60) % 3][:, None]  # each sample sure of its expert, all experts used alike
    assert loss(alike).item() == pytest.approx(least)
    assert loss(torch.full((60, 1, 3), 1 / 3)).item() == pytest.approx(least)
    one = torch.zeros(60, 1, 3)
    one[..., 1] = 1.0
    assert loss(one).item() > least + 0.5
    assert load_balance(one).item() == pytest.approx(3.0)  # the number of experts: the worst
    assert loss(_weights(6000)).item() == pytest.approx(least, abs=0.01)


def test_groups_that_prefer_different_experts_are_balanced() -> None:
    split = torch.tensor([[[0.9, 0.1], [0.1, 0.9]]]).repeat(10, 1, 1)
    assert load_balance(split).item() == pytest.approx(1.0)
    assert pull_to_uniform(split).item() == pytest.approx(0.0)


def test_descent_evens_out_the_use_of_experts() -> None:
    logits = (
        torch.randn(200, 1, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([1.0, 0.0, 0.0])
    ).requires_grad_()
    optimizer = torch.optim.SGD([logits], lr=20.0)
    before = load_balance(torch.softmax(logits, -1)).item()
    for _ in range(200):
        optimizer.zero_grad()
        load_balance(torch.softmax(logits, -1)).backward()
        optimizer.step()
    assert load_balance(torch.softmax(logits, -1)).item() < 1.02 < before


def test_entropy() -> None:
    weights = torch.tensor([[[0.5, 0.5], [1.0, 0.0]]])
    torch.testing.assert_close(entropy(weights), torch.tensor([[math.log(2), 0.0]]))
    assert mean_entropy(weights).item() == pytest.approx(math.log(2) / 2)
