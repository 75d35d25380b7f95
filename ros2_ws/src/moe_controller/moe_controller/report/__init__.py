"""One HTML page about a run: `python -m moe_controller.report`."""
