"""Routers by their short names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from moe_controller.contract import ObservationTerm
from moe_controller.observation import terms_size

from .adaptive import AdaptiveObsMoE
from .base import Router
from .columns import TokenLayout
from .given import ConstantRouter, GivenRouter
from .obs_moe import ObsMoE
from .routing import RoutingOptions
from .traj_attention import TrajAttentionRouter


@dataclass(frozen=True)
class RouterInputs:
    """What a router may look at and has to give."""

    terms: Sequence[ObservationTerm]
    """Of the group `policy`."""
    router_terms: Sequence[ObservationTerm]
    """Of the group `router`; empty without."""
    num_experts: int
    num_groups: int

    @property
    def policy_size(self) -> int:
        """Columns of the group `policy`."""
        return terms_size(tuple(self.terms))


_ROUTING = tuple(field.name for field in fields(RoutingOptions))
_MLP = ("hidden_dims", "preference", *_ROUTING)
_KINDS: dict[str, tuple[tuple[str, ...], Callable[..., Router]]] = {
    "obs_moe": (_MLP, lambda inputs, **options: ObsMoE(inputs.policy_size, **_learned(inputs, options))),
    "adaptive": (
        _MLP,
        lambda inputs, **options: AdaptiveObsMoE(inputs.policy_size, inputs.terms, **_learned(inputs, options)),
    ),
    "traj_attention": (
        ("width", "latents", "heads", "preference", *_ROUTING),
        lambda inputs, **options: TrajAttentionRouter(
            TokenLayout.from_terms(inputs.router_terms), **_learned(inputs, options)
        ),
    ),
    "given": ((), lambda inputs: GivenRouter(inputs.num_experts)),
    "constant": (("weights",), lambda inputs, weights: ConstantRouter(weights)),
}
ROUTER_KINDS = tuple(_KINDS)


def build_router(settings: Mapping[str, Any], inputs: RouterInputs) -> Router:
    """Build a router.

    Args:
        settings: `kind` and the options that it has: `hidden_dims`, `preference` (MLP gates); `width`, `latents`,
            `heads`, `preference` (attention); `temperature`, `top_k`, `noise` (all that learn); `weights` (constant).
        inputs: what it may look at and has to give.

    Raises:
        ValueError: unknown kind or option, or a value out of its range; one line.
    """
    options = dict(settings)
    kind = options.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"unknown router kind {kind!r}; there are {', '.join(ROUTER_KINDS)}")
    known, build = _KINDS[kind]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"router {kind} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    try:
        router = build(inputs, **options)
    except TypeError as error:  # an option of the wrong kind, or a missing one
        raise ValueError(f"router {kind}: {error}") from error
    if router.num_experts != inputs.num_experts:
        raise ValueError(f"router {kind} has weights for {router.num_experts} experts, there are {inputs.num_experts}")
    return router


def _learned(inputs: RouterInputs, options: dict[str, Any]) -> dict[str, Any]:
    """Gather what every learned router takes."""
    routing = RoutingOptions(**{name: options.pop(name) for name in _ROUTING if name in options})
    return {"num_experts": inputs.num_experts, "num_groups": inputs.num_groups, "options": routing, **options}
