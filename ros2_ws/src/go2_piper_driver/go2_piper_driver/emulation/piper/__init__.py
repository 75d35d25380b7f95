"""The emulated Piper: CAN side of the physics."""
