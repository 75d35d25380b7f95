"""What the full-physics backends share: the robot's model for rollouts, commands and cost terms."""
