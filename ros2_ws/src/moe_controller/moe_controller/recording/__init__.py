"""Recordings of the graph as MCAP files: writing them beside a running graph, and reading them."""
