"""The reduced-order backend: a standing robot as twelve lags with exact kinematics, in JAX."""

from __future__ import annotations

import os

import jax

# XLA makes as many threads as this says, when JAX starts its client. More than one split what is too small for it: a
# plan then took a tenth longer and half as much CPU time again.
os.environ.setdefault("NPROC", "1")
# each call is waited for at once: a thread of its own for it costs a tenth of a plan. Read when JAX starts its client.
jax.config.update("jax_cpu_enable_async_dispatch", False)
