"""Worked examples for newcomers."""
