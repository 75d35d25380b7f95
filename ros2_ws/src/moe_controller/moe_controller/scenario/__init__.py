"""Scenarios that the operator plays on the graph, and what is measured while they run."""
