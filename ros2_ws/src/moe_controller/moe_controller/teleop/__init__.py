"""Driving the robot by keyboard or gamepad: nothing moves unless something is held."""
