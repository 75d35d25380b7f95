"""Playing trained policies: roll out, look, measure, draw and write down. Shared by the `training.play*` commands."""
