"""Which nodes run, and the two ways to start them: launch_ros and child processes."""
