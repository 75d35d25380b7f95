"""What a run leaves to look at: `losses.csv`, `warm_start.csv` and TensorBoard."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

WARM_START = "warm_start.csv"


class RunLog:
    """Appends rows to `losses.csv` and TensorBoard.

    Columns that the file does not know start a further file (`losses_2.csv`); columns that a row lacks stay empty.

    Args:
        folder: of the run.
        iteration: where the run goes on; rows after it belong to a lost attempt and are cut off.
    """

    def __init__(self, folder: Path, iteration: int) -> None:
        self._folder = folder
        self._number = _newest_number(folder)
        self._columns = self._cut(iteration)
        self._writer = SummaryWriter(str(folder), purge_step=iteration + 1)

    @property
    def path(self) -> Path:
        """The newest CSV file."""
        return _path(self._folder, self._number)

    @staticmethod
    def newest(folder: Path) -> Path:
        """Return the newest CSV file of a run."""
        return _path(folder, _newest_number(folder))

    def write(self, row: dict[str, float]) -> None:
        """Append one row; it has an `iteration`. What is not a number was not measured this time and stays empty."""
        if not set(row) <= set(self._columns):
            if self._columns:
                self._number += 1
            self._columns = list(dict.fromkeys([*row, *self._columns]))
            with self.path.open("w", newline="") as file:
                csv.writer(file).writerow(self._columns)
        with self.path.open("a", newline="") as file:
            known = {key: value for key, value in row.items() if not math.isnan(value)}
            csv.DictWriter(file, self._columns).writerow({key: f"{value:.6g}" for key, value in known.items()})
        for key, value in known.items():
            self._writer.add_scalar(key, value, int(row["iteration"]))

    def close(self) -> None:
        """Flush TensorBoard."""
        self._writer.close()

    def _cut(self, iteration: int) -> list[str]:
        if not self.path.is_file():
            return []
        with self.path.open(newline="") as file:
            rows = list(csv.reader(file))
        if not rows or "iteration" not in rows[0]:
            return rows[0] if rows else []
        column = rows[0].index("iteration")
        kept = [rows[0], *(row for row in rows[1:] if len(row) == len(rows[0]) and float(row[column]) <= iteration)]
        if len(kept) < len(rows):
            part = self.path.with_suffix(".part")
            with part.open("w", newline="") as file:
                csv.writer(file).writerows(kept)
            part.replace(self.path)
        return rows[0]


def _path(folder: Path, number: int) -> Path:
    return folder / ("losses.csv" if number == 1 else f"losses_{number}.csv")


def _newest_number(folder: Path) -> int:
    number = 1
    while _path(folder, number + 1).is_file():
        number += 1
    return number


def last_rows(path: Path, count: int = 1) -> list[dict[str, float]]:
    """Return the newest rows of a losses file; empty cells are left out."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))[-count:]
    return [{key: float(value) for key, value in row.items() if value} for row in rows]


def write_warm_start(folder: Path, losses: list[float]) -> None:
    """Leave the losses of the regression in front of a run, one per control step, as `warm_start.csv`."""
    with (folder / WARM_START).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["control_step", "loss"])
        writer.writerows([step, f"{loss:.6g}"] for step, loss in enumerate(losses))
