"""What a mixture gains over its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gain:
    """Reward of a mixture as a multiple of others' on one suite; None where there is nothing to compare with."""

    best_single: float | None
    """The best of its experts alone and of the specialists."""
    uniform: float | None
    best_constant: float | None
    """The best of all blends that never change, the uniform one among them."""
    best_single_label: str = ""
    best_constant_label: str = ""


def gain(data: Mapping[str, Any], suite: str, label: str) -> Gain:
    """Compare one mixture.

    Args:
        data: results of an evaluation.
        suite: its name.
        label: of a mixture that was measured on it.
    """
    results, policies = data["results"][suite], data["policies"]
    family, reward = policies[label]["family"], results[label]["figures"]["reward"]

    def best(kinds: tuple[str, ...]) -> tuple[float | None, str]:
        found = {
            name: record["figures"]["reward"]
            for name, record in results.items()
            if policies[name]["kind"] in kinds
            and not policies[name]["mixture"]
            and (policies[name]["family"] == family or policies[name]["kind"] == "against")
        }
        if not found:
            return None, ""
        name = max(found, key=lambda one: found[one])
        return (reward / found[name] if found[name] > 0 else None), name

    single, single_label = best(("expert", "against"))
    constant, constant_label = best(("constant", "uniform"))
    return Gain(single, best(("uniform",))[0], constant, single_label, constant_label)


def single_experts(data: Mapping[str, Any], suite: str) -> list[str]:
    """Return the labels of experts alone and of specialists to compare with."""
    policies = data["policies"]
    return [name for name in data["results"][suite] if policies[name]["kind"] in ("expert", "against")]
