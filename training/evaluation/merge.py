"""Mean and spread over training seeds: `python -m training.evaluation.merge DIR... --out FILE.md`.

Policies whose names differ only in a training seed, as the folders of `training.train` have it (`seed_1`, `..._s1`),
are taken together; so are policies of one name in several folders. Evaluation seeds are averaged for each policy first.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .compare import gain
from .results import FREE, read_results
from .score import FIGURES
from .settings import EvaluationError
from .suites import SUITES
from .table import COLUMNS, cell, markdown

GAINS = {"best_single": "x best single", "uniform": "x uniform", "best_constant": "x best constant"}
Values = dict[str, list[float]]
"""Values of one figure by the identity of the policy, over evaluation seeds."""


def seedless(label: str) -> str:
    """Return a policy's name without its training seed."""
    return re.sub(r"(?<![a-zA-Z0-9])seed_\d+/?|_s\d+(?=$|[/: ])", "", label).strip("/") or label


def merge(folders: Sequence[Path]) -> str:
    """Return the tables of several evaluations taken together.

    Args:
        folders: that `training.evaluate` wrote.

    Raises:
        EvaluationError: no results there, or results of other settings than the first.
    """
    several = [read_results(folder) for folder in folders]
    _check(folders, several)
    blocks = ["# Evaluation over seeds"]
    for suite in SUITES:
        found: dict[str, dict[str, Values]] = {}
        for data in several:
            for label, record in data["results"].get(suite, {}).items():
                for row, figures in _rows(data, suite, label, record).items():
                    _add(found.setdefault(row, {}), figures, data["policies"][label]["identity"])
        if found:
            blocks += [f"## {suite}: {SUITES[suite].title}", _table(suite, found)]
    blocks.append(_footer(folders, several))
    return "\n\n".join(blocks) + "\n"


def _check(folders: Sequence[Path], several: Sequence[Mapping[str, Any]]) -> None:
    first = several[0]["settings"]
    for folder, data in zip(folders, several, strict=True):
        differ = [
            f"{name} {value} instead of {first.get(name)}"
            for name, value in data["settings"].items()
            if name not in (*FREE, "seed") and value != first.get(name)
        ]
        if differ:
            raise EvaluationError(f"{folder} was evaluated with other settings than {folders[0]}: {'; '.join(differ)}")


def _rows(
    data: Mapping[str, Any], suite: str, label: str, record: Mapping[str, Any]
) -> dict[str, dict[str, float | None]]:
    """Return what one record adds: its figures with the gains, and those of its parts."""
    name = seedless(label)
    rows = {name: dict(record["figures"])}
    if data["policies"][label]["mixture"]:
        gained = gain(data, suite, label)
        rows[name] |= {key: getattr(gained, key) for key in GAINS}
    if data["policies"][label]["kind"] != "constant":
        rows |= {f"{name} · {part}": figures for part, figures in record["parts"].items()}
    return rows


def _add(into: dict[str, Values], figures: Mapping[str, float | None], identity: str) -> None:
    for key, value in figures.items():
        if value is not None:
            into.setdefault(key, defaultdict(list))[identity].append(value)


def _table(suite: str, found: Mapping[str, Mapping[str, Values]]) -> str:
    columns = [*COLUMNS[suite], *(key for key in GAINS if any(key in row for row in found.values()))]
    header = ["policy", "training seeds", *(FIGURES[key].title if key in FIGURES else GAINS[key] for key in columns)]
    lines = []
    for name, row in found.items():
        cells = [_mean_and_spread(row.get(key, {}), FIGURES[key].digits if key in FIGURES else 3) for key in columns]
        lines.append([name, str(max(len(values) for values in row.values())), *cells])
    return markdown(header, lines)


def _mean_and_spread(values: Values, digits: int) -> str:
    means = [float(np.mean(one)) for one in values.values()]
    if len(means) < 2:
        return cell(means[0] if means else None, digits)
    return f"{np.mean(means):.{digits}f} ± {np.std(means, ddof=1):.{digits}f}"


def _footer(folders: Sequence[Path], several: Sequence[Mapping[str, Any]]) -> str:
    seeds = sorted({data["settings"]["seed"] for data in several})
    codes = sorted({data["git"] for data in several})
    lines = "\n".join(f"- `{folder}`" for folder in folders)
    return (
        f"Mean ± standard deviation over training seeds. {several[0]['settings']['envs']} robots; evaluation seeds "
        f"{', '.join(map(str, seeds))}, averaged for each policy; code {', '.join(codes)}. From:\n\n{lines}"
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="training.evaluation.merge", description="Mean and spread of several evaluations over training seeds."
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="that training.evaluate wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.md", help="table to write")
    args = parser.parse_args(argv)
    try:
        text = merge(args.folders)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text)
    except EvaluationError as error:
        print(f"training.evaluation.merge: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"training.evaluation.merge: cannot write {args.out} ({error.strerror})", file=sys.stderr)
        return 1
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
