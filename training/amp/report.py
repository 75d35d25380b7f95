"""The results of an evaluation: table, figures.json, plots."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ..models.loading import load_policy
from .env import Disturbances
from .evaluation import RANDOMIZED, Record, Score, policy_of, record_episodes, score_of, steering_env, style_of
from .features import DiscObsSpec, build_disc_obs_spec, build_expert_disc_obs
from .gait import Gait, gait_of, spectrum_distance
from .loading import LoadedRun
from .motion import Motion

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
FIGURES, PLOTS = "figures.json", "gait.png"


class Evaluation:
    """What a checkpoint does on the steering task, beside reference motion.

    Args:
        run: the checkpoint.
        held_out: reference motion that the training did not see; None without.
        seed: of targets and noise.
        deterministic: without the exploration noise.
        randomized: with delay, other friction and mass, and pushes.
    """

    def __init__(
        self, run: LoadedRun, held_out: Motion | None, seed: int, deterministic: bool, randomized: bool
    ) -> None:
        self.run, self._seed, self.randomized = run, seed, randomized
        self.spec: DiscObsSpec = build_disc_obs_spec(run.robot)
        self._style = style_of(run.learner, run.state)
        self._act = policy_of(run.learner, run.state) if deterministic else _noisy(run, seed)
        self.deterministic = deterministic
        self.score: Score
        self.gaits: dict[str, Gait] = {}
        self.scores: dict[str, Score] = {}
        self.held_out_style: float | None = None
        if held_out is not None:
            rows = build_expert_disc_obs(run.robot, held_out)
            self.held_out_style = float(self._style(rows).mean())
            length = min(held_out.lengths) - 1
            columns, start = [], 0
            for clip in held_out.lengths:
                columns.append(rows[start : start + length, : self.spec.state_size])
                start += clip - 1
            self.gaits["reference"] = gait_of(np.stack(columns, axis=1), self.spec, run.robot.control_period)

    @property
    def style_ratio(self) -> float | None:
        """Style of the policy over that of held-out reference motion."""
        return self.score.style / self.held_out_style if self.held_out_style else None

    def steer(self, count: int, steps: int, seconds: float) -> None:
        """Let the policy steer `count` robots for `steps` control steps each, in episodes."""
        run = self.run
        length = round(seconds / run.robot.control_period)
        records = []
        for part in track(range(max(1, round(steps / length))), description="steering", transient=True):
            disturbances = RANDOMIZED if self.randomized else Disturbances()
            env = steering_env(run.saved.config, run.robot, count, seconds, self._seed + part, disturbances)
            records.append(record_episodes(env, self._act, min(length, steps)))
        record = joined(records)
        self.score = self.scores["policy"] = score_of(record, self._style)
        self.gaits["policy"] = self._gait(record)

    def steer_expert(self, path: Path, count: int, seconds: float) -> None:
        """Let a walking policy of this project steer, by a controller on the heading. Raises CheckpointError."""
        from .reference import record_expert

        record = record_expert(
            load_policy(path), self.run.robot, self.run.saved.config.steering, count, seconds, self._seed
        )
        self.scores["expert"] = score_of(record, self._style)
        self.gaits["expert"] = self._gait(record)

    def _gait(self, record: Record) -> Gait:
        standing = record.alive[-1]
        states = record.transition[50:, standing, self.spec.state_size :]  # the first second is getting up to speed
        return gait_of(states, self.spec, record.period)

    def figures(self) -> dict[str, Any]:
        """Return all figures as plain numbers."""
        reference = self.gaits.get("reference")
        gaits = {
            name: {
                **{key: value for key, value in asdict(gait).items() if not isinstance(value, np.ndarray)},
                "spectrum_distance": None if reference is None else spectrum_distance(gait, reference),
            }
            for name, gait in self.gaits.items()
        }
        return {
            "env_id": self.run.saved.config.env_id,
            "seed": self._seed,
            "deterministic": self.deterministic,
            "randomized": self.randomized,
            "scores": {name: asdict(score) for name, score in self.scores.items()},
            "held_out_style": self.held_out_style,
            "style_ratio": self.style_ratio,
            "gaits": gaits,
        }


def joined(records: list[Record]) -> Record:
    """Return records of the same length side by side."""
    names = [name for name in Record.__dataclass_fields__ if name != "period"]
    merged: dict[str, Any] = {
        name: np.concatenate([getattr(record, name) for record in records], axis=1) for name in names
    }
    return replace(records[0], **merged)


def _noisy(run: LoadedRun, seed: int) -> Callable[[Floats], Array]:
    norm = run.state.obs_norm.moments()
    policy, rng = run.state.learner.policy, np.random.default_rng(seed)

    def act(obs: Floats) -> Array:
        noise = rng.standard_normal((len(obs), run.learner.actions), dtype=np.float32)
        return run.learner.act(policy, obs, norm, noise).astype(np.float64)

    return act


def show(evaluation: Evaluation, console: Console | None = None) -> None:
    """Print the table."""
    console = console or Console()
    table = Table(title="steering" + (", randomized" if evaluation.randomized else ""))
    for column in (
        "",
        "speed error m/s",
        "heading error deg",
        "falls %",
        "style",
        "joint speed rad/s",
        "step Hz",
        "duty",
    ):
        table.add_column(column, justify="left" if not column else "right")
    for name in ("policy", "expert", "reference"):
        score, gait = evaluation.scores.get(name), evaluation.gaits.get(name)
        if gait is None:
            continue
        style = score.style if score else evaluation.held_out_style
        cells = ["", "", ""] if score is None else [
            f"{score.speed_error:.3f} ({score.speed_error_all:.3f})",
            f"{score.heading_error:.1f} ({score.heading_error_all:.1f})",
            f"{score.falls:.1f}",
        ]  # fmt: skip
        table.add_row(
            name, *cells, f"{style:.2f}", f"{gait.speed_rms:.2f}", f"{gait.step_frequency:.1f}", f"{gait.duty:.2f}"
        )
    console.print(table)
    console.print("errors: settled (all)", style="dim")
    if evaluation.style_ratio is not None:
        console.print(f"style of the policy over held-out reference motion: {evaluation.style_ratio:.2f}")


def write(evaluation: Evaluation, out: Path) -> None:
    """Write figures.json and the plots."""
    (out / FIGURES).write_text(json.dumps(evaluation.figures(), indent=1))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for name, gait in evaluation.gaits.items():
        left.semilogy(gait.frequencies, gait.spectrum, label=name)
    left.set(xlabel="Hz", ylabel="(rad/s)$^2$/Hz", title="power of the joint speeds")
    left.legend()
    names = list(evaluation.gaits)
    for offset, (field, label) in enumerate((("duty", "foot on the ground"), ("together", "diagonal feet together"))):
        values = [getattr(evaluation.gaits[name], field) for name in names]
        right.bar(np.arange(len(names)) + 0.4 * offset - 0.2, values, 0.38, label=label)
    right.set(xticks=range(len(names)), xticklabels=names, ylim=(0, 1), title="part of the time")
    right.legend()
    figure.tight_layout()
    figure.savefig(out / PLOTS, dpi=120)
    plt.close(figure)
