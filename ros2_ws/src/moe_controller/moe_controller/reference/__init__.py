"""The reference of the end effector as people see it: its path, and a translucent arm that is there already."""
