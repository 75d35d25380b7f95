"""The emulated Go2: DDS side of the physics."""
