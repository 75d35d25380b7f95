"""Adversarial motion priors (AMP) on PPO in JAX: a policy that follows a direction and speed in the style of clips."""
