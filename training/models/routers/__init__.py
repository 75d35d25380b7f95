"""Routers: from the observation to the weights of the experts, interchangeable behind one interface."""

from .adaptive import AdaptiveObsMoE
from .base import LearnedRouter, Observations, Router
from .columns import TokenLayout
from .factory import ROUTER_KINDS, RouterInputs, build_router
from .given import ConstantRouter, GivenRouter
from .obs_moe import ObsMoE
from .routing import RoutingOptions
from .traj_attention import TrajAttentionRouter

__all__ = [
    "ROUTER_KINDS",
    "AdaptiveObsMoE",
    "ConstantRouter",
    "GivenRouter",
    "LearnedRouter",
    "ObsMoE",
    "Observations",
    "Router",
    "RouterInputs",
    "RoutingOptions",
    "TokenLayout",
    "TrajAttentionRouter",
    "build_router",
]
