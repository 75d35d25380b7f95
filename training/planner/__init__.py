"""A network that proposes the planner's knots, trained on the planner's own plans."""
