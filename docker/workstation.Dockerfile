# The operator's computer: the runtime image with rviz2 and rosbag2. Build the runtime image first, then:
#   docker build -f docker/workstation.Dockerfile -t go2-piper:workstation .
ARG RUNTIME=go2-piper:runtime
FROM ${RUNTIME}

RUN apt-get update && apt-get install --yes --no-install-recommends \
        ros-jazzy-joy ros-jazzy-ros2bag ros-jazzy-rosbag2-storage-mcap ros-jazzy-rviz2 \
    && rm -rf /var/lib/apt/lists/*

CMD ["ros2", "launch", "moe_controller", "sim.launch.py"]
