"""The vectorised Go2 + Piper environment on `mujoco.batch`."""
