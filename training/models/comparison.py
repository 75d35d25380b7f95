"""Policies to compare a mixture with: each expert alone, the uniform blend, constant blends."""

from __future__ import annotations

from .policy import FixedWeights, Policy


def single_expert(policy: Policy, name: str) -> Policy:
    """Return one expert of a mixture alone. Raises ValueError for an unknown name."""
    if name not in policy.experts:
        raise ValueError(f"{policy.name} has no expert '{name}'; it has {', '.join(policy.experts)}")
    return FixedWeights(policy, [[float(expert == name) for expert in policy.experts]], name)


def uniform_blend(policy: Policy) -> Policy:
    """Return the equal blend of all experts."""
    count = len(policy.experts)
    return FixedWeights(policy, [[1.0 / count] * count], "uniform")


def constant_blend(policy: Policy, legs: float, arm: float) -> Policy:
    """Return a constant blend of two experts.

    Args:
        policy: a mixture of two experts.
        legs: the first expert's share of the leg joints, 0 to 1.
        arm: its share of the arm's.
    """
    if len(policy.experts) != 2:
        raise ValueError(f"shares of legs and arm are for two experts; {policy.name} has {len(policy.experts)}")
    return FixedWeights(policy, [[legs, 1.0 - legs], [arm, 1.0 - arm]], f"constant {legs:.2g}/{arm:.2g}")
