# Training on a machine with an NVIDIA GPU (or without: the simulator runs on the CPU either way). No ROS.
#   docker build -f docker/training.Dockerfile -t go2-piper:training .
FROM python:3.11-slim-bookworm

RUN apt-get update && apt-get install --yes --no-install-recommends git libosmesa6 \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/go2_piper
COPY . .
# torch's own wheels bring CUDA; JAX needs its plugin for the AMP training and the planner's mjx backend
RUN pip install --editable '.[ros,planner,mjx,train]' && pip install 'jax[cuda12]==0.10.2'

VOLUME /opt/go2_piper/runs
CMD ["python", "-m", "training.train", "--help"]
