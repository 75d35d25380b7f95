"""The reduced-order backend: a standing robot as twelve lags with exact kinematics, in JAX."""

from __future__ import annotations

import jax

# each call is waited for at once: a thread of its own for it costs a tenth of a plan. Read when JAX starts its client.
jax.config.update("jax_cpu_enable_async_dispatch", False)
