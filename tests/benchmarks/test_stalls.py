"""Which latencies count: not those of moments in which the machine stood still."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.stalls import standstills, touched


def test_standstills_of_all_processors(tmp_path: Path) -> None:
    (tmp_path / "stalls_0.txt").write_text("10 20\n50 60\n")
    (tmp_path / "stalls_1.txt").write_text("")
    assert standstills(tmp_path).tolist() == [[10, 20], [50, 60]]


def test_overlaps() -> None:
    windows = np.array([[10, 20], [50, 60]])
    begin, end = np.array([0, 5, 12, 15, 20, 45]), np.array([9, 11, 15, 30, 40, 70])
    assert touched(windows, begin, end).tolist() == [False, True, True, True, False, True]
    assert not touched(np.empty((0, 2), dtype=np.int64), begin, end).any()
