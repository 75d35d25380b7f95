"""The one door between ROS and a robot: plant interface, safety gate and the bridge node."""
