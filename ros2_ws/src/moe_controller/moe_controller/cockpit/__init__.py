"""The operator's view in a browser: a client of the graph like any other, served on this machine only."""
