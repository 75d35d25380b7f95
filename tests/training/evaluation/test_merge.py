"""Gains of mixtures, and several evaluations taken together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.evaluation.compare import gain
from training.evaluation.merge import main, merge, seedless
from training.evaluation.results import SCHEMA
from training.evaluation.score import FIGURES
from training.evaluation.settings import EvaluationError


def _policy(kind: str, identity: str, family: str = "F", mixture: bool = False) -> dict[str, Any]:
    return {"kind": kind, "identity": identity, "family": family, "mixture": mixture, "file": "f"}


def _data(rewards: dict[str, float], tag: str = "", **settings: Any) -> dict[str, Any]:
    """Return results on S5 of a mixture `moe` with its parts and a specialist."""
    kinds = {"moe": "model", "base alone": "expert", "uniform blend": "uniform", "hard split": "constant",
             "arm": "against"}  # fmt: skip
    policies = {
        name: _policy(kinds.get(name, "model"), name + tag, "" if name == "arm" else "F", name.endswith("moe"))
        for name in rewards
    }
    records = {
        name: {"figures": dict.fromkeys(FIGURES) | {"reward": reward}, "parts": {}} for name, reward in rewards.items()
    }
    values = {"envs": 4, "seed": 77, "suites": ["S5"], "threads": 1, "blends": False, **settings}
    return {"schema": SCHEMA, "settings": values, "policies": policies, "results": {"S5": records}, "git": "abc"}


def _write(folder: Path, data: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(data))
    return folder


def test_gain_over_the_best_of_each_kind() -> None:
    data = _data({"moe": 0.12, "base alone": 0.08, "arm": 0.1, "uniform blend": 0.06, "hard split": 0.11})
    g = gain(data, "S5", "moe")
    assert (g.best_single, g.best_single_label) == (pytest.approx(1.2), "arm")
    assert g.uniform == pytest.approx(2.0)
    assert (g.best_constant, g.best_constant_label) == (pytest.approx(0.12 / 0.11), "hard split")


def test_experts_of_other_mixtures_do_not_count() -> None:
    data = _data({"moe": 0.12, "base alone": 0.5})
    data["policies"]["base alone"]["family"] = "other"
    assert gain(data, "S5", "moe").best_single is None


@pytest.mark.parametrize(
    ("label", "plain"),
    [
        ("seed_3/base", "base"),
        ("moe/seed_12/router/obs_moe_g2_s3/moe: base alone", "moe/router/obs_moe_g2/moe: base alone"),
        ("obs_moe_g1_s2", "obs_moe_g1"),
        ("moe_small", "moe_small"),
        ("seed_1", "seed_1"),
    ],
)
def test_names_without_seeds(label: str, plain: str) -> None:
    assert seedless(label) == plain


def test_mean_and_spread_over_training_seeds(tmp_path: Path) -> None:
    folders = [
        _write(
            tmp_path / f"{i}_{seed}", _data({"moe": reward + 0.01 * (seed == 78), "arm": 0.1}, tag=str(i), seed=seed)
        )
        for i, reward in enumerate((0.10, 0.12))
        for seed in (77, 78)
    ]
    text = merge(folders)
    # evaluation seeds are averaged before: two training seeds of 0.105 and 0.125
    assert "| moe | 2 | 0.1150 ± 0.0141 |" in text
    assert "1.150 ± 0.141" in text and "evaluation seeds 77, 78" in text


def test_seeds_in_one_folder(tmp_path: Path) -> None:
    data = _data({"seed_1/moe": 0.1, "seed_2/moe": 0.3})
    assert "| moe | 2 | 0.2000 ± 0.1414 |" in merge([_write(tmp_path / "a", data)])


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    assert "| moe | 1 | 0.1000 |" in merge([_write(tmp_path / "a", _data({"moe": 0.1}))])


def test_other_settings_are_not_merged(tmp_path: Path) -> None:
    folders = [_write(tmp_path / str(envs), _data({"moe": 0.1}, envs=envs)) for envs in (4, 8)]
    with pytest.raises(EvaluationError, match="other settings than .*: envs 8 instead of 4"):
        merge(folders)


def test_merge_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = _write(tmp_path / "a", _data({"moe": 0.1})), tmp_path / "new" / "t.md"
    assert main([str(folder), "--out", str(out)]) == 0 and out.is_file()
    assert main([str(tmp_path / "none"), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "cannot read" in error and error.count("\n") == 1
    (folder / "results.json").write_text('{"schema": 99}')
    assert main([str(folder), "--out", str(out)]) == 1
    assert "has schema 99" in capsys.readouterr().err
