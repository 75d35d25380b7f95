"""Simulated robots behind the bridge's plant interface."""
