"""Evaluation of trained policies on suites with fixed seeds; `python -m training.evaluate` is the command."""
