"""Evaluations over checkpoints, suites and seeds, several at a time, through Hydra's multirun and its joblib launcher.

`python -m training.evaluate_sweep -m model=a.safetensors,b.safetensors suite=S5 seed=77,78`: one evaluation for each
combination, in runs/evaluate/<date>/<number>; lists in brackets go into one: `model='[a.safetensors,b.safetensors]'`.
`hydra.launcher.n_jobs=2` says how many run at once. `python -m training.evaluation.merge runs/evaluate/<date>/*
--out FILE.md` makes one table of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig
from rich.console import Console

from .configuration import HYDRA_ERRORS, hydra_main, one_line, plain
from .evaluation.cli import EXPECTED as EVALUATION_ERRORS
from .evaluation.policies import gather
from .evaluation.run import evaluate
from .evaluation.settings import Settings
from .structured import ConfigError

NAME = "evaluate_sweep"
CONFIG_PATH = Path(__file__).parent / "evaluation"
"""Hydra looks for groups of settings here, and there are none; elsewhere it would take `envs` for one."""
EXPECTED = (ConfigError, *EVALUATION_ERRORS)
_HYDRA_CHOICES = ({"override hydra/job_logging": "none"}, {"override hydra/launcher": "joblib"})


@dataclass
class SweepSettings:
    """The options of `training.evaluate`; `model`, `against` and `suite` are one or a list."""

    model: Any = MISSING
    suite: Any = "S5"
    against: Any = ()
    seed: int = 77
    envs: int = 256
    randomized: bool = False
    delay: float = 0.0
    plant_model: str = ""
    seconds: float | None = None
    blends: bool = False
    threads: int = 1
    fresh: bool = False
    defaults: list[Any] = field(default_factory=lambda: ["_self_", *_HYDRA_CHOICES])
    hydra: Any = field(
        default_factory=lambda: {
            "run": {"dir": "runs/evaluate/${now:%Y-%m-%d_%H-%M-%S}"},
            "sweep": {"dir": "runs/evaluate/${now:%Y-%m-%d_%H-%M-%S}", "subdir": "${hydra.job.num}"},
        }
    )


def run_one(config: DictConfig) -> None:
    """Do one evaluation in Hydra's output folder. Errors as `training.evaluate`."""
    torch.set_num_threads(1)
    folder = Path(HydraConfig.get().runtime.output_dir)
    values = plain(config)
    models, against, suites, fresh = (values.pop(name) for name in ("model", "against", "suite", "fresh"))
    settings = Settings(suites=tuple(_list(suites)), **values)
    alone = HydraConfig.get().mode != RunMode.MULTIRUN
    console = Console(quiet=not alone)  # several progress displays in one terminal are none
    if not evaluate(gather(_list(models), _list(against)), settings, folder, fresh, console):
        raise KeyboardInterrupt
    print(folder)


def _list(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else [str(value)]


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    ConfigStore.instance().store(NAME, SweepSettings)
    arguments = sys.argv[1:] if argv is None else argv
    try:
        return hydra_main(f"training.{NAME}", run_one, arguments, CONFIG_PATH, NAME, EXPECTED)
    except KeyboardInterrupt:
        print(f"training.{NAME}: interrupted; what is done lies in the output folders", file=sys.stderr)
        return 130
    except (*EXPECTED, *HYDRA_ERRORS) as error:
        print(f"training.{NAME}: {one_line(error)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
