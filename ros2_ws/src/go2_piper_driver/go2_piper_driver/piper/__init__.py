"""The Piper over CAN, through `piper_sdk`."""
