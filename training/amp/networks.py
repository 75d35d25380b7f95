"""The three networks: actor, critic, discriminator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .normalizer import Moments, RunningNormalizer

JaxArray = jax.Array
Floats = NDArray[np.float32]


@jax.custom_jvp
def elu(x: JaxArray) -> JaxArray:
    """Return the exponential linear unit; cheaper on CPUs than `nn.elu`, whose slope needs the exponential again."""
    return jnp.maximum(x, 0.0) + jnp.exp(jnp.minimum(x, 0.0)) - 1.0


@elu.defjvp
def _elu_jvp(primals: tuple[JaxArray], tangents: tuple[JaxArray]) -> tuple[JaxArray, JaxArray]:
    y = elu(primals[0])
    return y, tangents[0] * (jnp.minimum(y, 0.0) + 1.0)


class Mlp(nn.Module):
    """Fully connected layers with orthogonal starts; `last_scale` is that of the last layer."""

    hidden: Sequence[int]
    outputs: int
    activation: Callable[[JaxArray], JaxArray] = elu
    last_scale: float = 1.0

    @nn.compact
    def __call__(self, x: JaxArray) -> JaxArray:
        for width in self.hidden:
            x = self.activation(nn.Dense(width, kernel_init=nn.initializers.orthogonal(2.0**0.5))(x))
        return nn.Dense(self.outputs, kernel_init=nn.initializers.orthogonal(self.last_scale), name="last")(x)


def actor(hidden: Sequence[int], actions: int) -> Mlp:
    """Return the network of the mean action, which starts near zero: the default pose."""
    return Mlp(hidden, actions, elu, 0.01)


def critic(hidden: Sequence[int]) -> Mlp:
    """Return the network of the value, one output."""
    return Mlp(hidden, 1)


def discriminator(hidden: Sequence[int]) -> Mlp:
    """Return the network that tells reference motion (towards 1) from the policy's (towards -1), one output."""
    return Mlp(hidden, 1, nn.relu, 0.1)


def forward(network: Mlp, params: Any, x: JaxArray) -> JaxArray:
    """Return a network's outputs for inputs (..., D)."""
    return cast(JaxArray, network.apply(params, x))


def numpy_forward(params: Any, x: Floats) -> Floats:
    """Return what `forward` does for an ELU network, in NumPy, float32.

    For the robots of one step this is the faster way: JAX hands its work to threads of its own, which wait for a
    processor while the simulation has all of them.
    """
    layers = [params["params"][name] for name in sorted(params["params"])]  # Dense_0, Dense_1, ..., last
    for number, layer in enumerate(layers, start=1):
        x = x @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])
        if number < len(layers):
            x = np.maximum(x, 0.0) + np.exp(np.minimum(x, 0.0)) - np.float32(1.0)
    return x


def normalized(x: JaxArray, moments: Moments) -> JaxArray:
    """Return samples in units of their spread, as the stack's policies have it (`training.models.expert`)."""
    return (x - moments.mean) / moments.std


def clipped(x: JaxArray, moments: Moments) -> JaxArray:
    """Return samples in units of their spread, limited: one odd transition must not rule the discriminator."""
    return jnp.clip(normalized(x, moments), -RunningNormalizer.CLIP, RunningNormalizer.CLIP)
