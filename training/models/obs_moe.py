"""The MLP gate under its old address."""

from .routers import ObsMoE

__all__ = ["ObsMoE"]
