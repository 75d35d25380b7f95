"""The reduced-order backend: a standing robot as twelve lags with exact kinematics, in JAX."""
