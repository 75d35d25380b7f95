"""Feeds a recording through a policy again: `python -m moe_controller.replay`."""
