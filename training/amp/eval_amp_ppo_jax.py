"""Evaluate a checkpoint of the AMP training: figures, comparison with reference motion, plots, and a film."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a file
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    __package__ = "training.amp"

HERE = Path(__file__).resolve().parent
HELD_OUT = HERE / "clips" / "held_out.npz"
EPISODE = 10.0
"""s"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    p = argparse.ArgumentParser(prog="eval_amp_ppo_jax", description=__doc__)
    p.add_argument("--model_path", type=Path, required=True, help="amp_ppo_jax_best.safetensors of a run")
    p.add_argument("--n_steps", type=int, default=2000, help="control steps per robot, in episodes of 10 s")
    p.add_argument("--num_envs", type=int, default=64, help="robots")
    p.add_argument("--seed", type=int, default=77)
    p.add_argument("--deterministic", action="store_true", help="without the exploration noise")
    p.add_argument("--randomized", action="store_true", help="20 ms delay, friction, mass, pushes")
    p.add_argument("--held_out", type=Path, help="reference motion that the training did not see")
    p.add_argument("--expert", type=Path, help="walking policy to steer beside it (expert checkpoint or ONNX file)")
    p.add_argument("--record", action="store_true", help="film the first robot (20 s); Go2Piper only")
    p.add_argument("--out", type=Path, help="folder for the results; evaluation/ beside the checkpoint by default")
    p.add_argument("--jax_cpu", action="store_true", help="use the CPU even where JAX sees a GPU")
    return p


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Evaluate; return what was written. Raises errors of one line."""
    from .loading import load_run
    from .motion import MotionError, load_motion
    from .report import Evaluation, show, write

    if args.n_steps < 1 or args.num_envs < 1:
        raise ValueError("--n_steps and --num_envs: at least 1")
    loaded = load_run(args.model_path)
    held_out = args.held_out or (HELD_OUT if HELD_OUT.is_file() else None)
    try:
        motion = load_motion(held_out).select(loaded.robot.joints) if held_out else None
    except MotionError as error:
        raise MotionError(f"--held_out: {error}") from None
    out = args.out or args.model_path.parent / "evaluation"
    out.mkdir(parents=True, exist_ok=True)
    evaluation = Evaluation(loaded, motion, args.seed, args.deterministic, args.randomized)
    evaluation.steer(args.num_envs, args.n_steps, EPISODE)
    if args.expert:
        evaluation.steer_expert(args.expert, args.num_envs, EPISODE)
    show(evaluation)
    write(evaluation, out)
    files = {"figures": str(out / "figures.json")}
    if args.record:
        from .film import film

        files["film"] = str(film(loaded, out / "steering.mp4", args.seed, seconds=20.0))
    return {**asdict(evaluation.score), **files}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = parser().parse_args(argv)
    if args.jax_cpu:
        os.environ["JAX_PLATFORMS"] = "cpu"
    from sim_bridge.gl import RenderError

    from ..checkpoint import CheckpointError as ExpertError
    from ..structured import ConfigError
    from .motion import MotionError
    from .state import CheckpointError

    errors = (ConfigError, MotionError, CheckpointError, ExpertError, RenderError, ValueError, OSError)
    try:
        print(json.dumps(run(args)))
    except errors as error:
        print(f"eval_amp_ppo_jax: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
