"""Train a policy that steers in the style of reference motion: AMP + PPO in JAX."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

if __package__ in (None, ""):  # started as a file
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    __package__ = "training.amp"

HERE = Path(__file__).resolve().parent
CLIPS = HERE / "clips" / "expert_traj.npz"
LOGS = HERE.parent / "logs"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    p = argparse.ArgumentParser(prog="train_amp_ppo_jax", description=__doc__)
    p.add_argument("--config", type=Path, default=HERE / "amp_ppo_jax_conf.yaml", help="YAML file with the settings")
    p.add_argument("--env_id", help="robot and task instead of the configuration's, such as Go2Piper.walk.mocap")
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--million_steps", type=float, help="instead of the configuration's schedule.million_steps")
    p.add_argument("--out", type=Path, help="folder of the run; training/logs/ENV_sSEED by default")
    p.add_argument("--resume", type=Path, metavar="DIR", help="go on with the run in this folder")
    p.add_argument("--deterministic", action="store_true", help="only operations that give the same bits every time")
    p.add_argument("--jax_cpu", action="store_true", help="use the CPU even where JAX sees a GPU")
    p.add_argument("--debug_nans", action="store_true", help="stop at the operation that makes the first NaN; slow")
    return p


def set_up_jax(args: argparse.Namespace) -> None:
    """Set what JAX and NumPy read when they are first imported."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of NumPy's matrix products: groups have threads already
    if args.jax_cpu:
        os.environ["JAX_PLATFORMS"] = "cpu"
    if args.deterministic and not args.jax_cpu:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()
    if args.debug_nans:
        os.environ["JAX_DEBUG_NANS"] = "true"


def run(args: argparse.Namespace) -> dict[str, object]:
    """Train. Raises ConfigError, MotionError, CheckpointError, RunFolderError, TrainingDiverged: one line each."""
    from ..run_folder import RunFolderError, hold
    from .config import load_config
    from .state import BEST, LATEST, read_checkpoint
    from .train import AmpTrainer

    config = load_config(args.config)
    if args.env_id:
        config = replace(config, env_id=args.env_id)
    if args.million_steps:
        config = replace(config, schedule=replace(config.schedule, million_steps=args.million_steps))
    out = args.resume or args.out or LOGS / f"{config.env_id}_s{args.seed}"
    source = _source(config.custom_traj_path)
    if args.resume:
        read_checkpoint(args.resume / LATEST)  # before a folder is made for a run that is not there
    with hold(out):
        if not args.resume and any((out / name).exists() for name in (LATEST, BEST)):
            raise RunFolderError(f"{out} holds a run: go on with --resume {out}, or give another --out")
        trainer = AmpTrainer(config, out, source, args.seed)
        if args.resume:
            trainer.resume(args.resume / LATEST)
        print("reference motion:", "from the cache" if trainer.cached else "read and cached", flush=True)
        return trainer.run()


def _source(path: str) -> Path:
    from .motion import MotionError

    if path:
        return Path(path).expanduser()
    if not CLIPS.is_file():
        raise MotionError(
            f"no clips at {CLIPS}: make them with `python -m training.amp.make_expert_clips`, "
            "or set custom_traj_path to a motion file"
        )
    return CLIPS


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = parser().parse_args(argv)
    set_up_jax(args)
    from ..run_folder import RunFolderError
    from ..structured import ConfigError
    from .motion import MotionError
    from .state import CheckpointError
    from .train import TrainingDiverged

    try:
        summary = run(args)
    except (ConfigError, MotionError, CheckpointError, RunFolderError, TrainingDiverged, OSError) as error:
        print(f"train_amp_ppo_jax: {error}", file=sys.stderr)
        return 2
    print(json.dumps(summary))
    return 130 if summary["stopped"] else 0


if __name__ == "__main__":
    sys.exit(main())
