"""Sampling-based whole-body planner: splines, CEM, costs, rollout backends and their AOT cache.

The package imports neither ROS nor JAX; both come in only with the node, the JAX backends and `aot`.
"""
