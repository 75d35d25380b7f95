"""The robot: a Unitree Go2 with an AgileX Piper arm. Joint table, link table, MJCF and URDF."""
