"""Training of the experts and of the mixture; needs the `train` extra."""
