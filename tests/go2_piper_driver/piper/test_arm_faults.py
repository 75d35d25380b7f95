"""The arm's fault campaign runs: a few of its cases, once; `python -m benchmarks.arm_faults` runs all of them."""

from __future__ import annotations

from benchmarks.arm_faults import STATES, campaign


def test_a_fault_in_every_state_and_a_killed_driver() -> None:
    rows = dict(campaign(1, ["motor error bit", "start: firmware unknown", "driver killed (SIGKILL)"]))
    assert [row.runs for row in rows.values()] == [len(STATES), 1, 1], [row.misses for row in rows.values()]
    for row in rows.values():
        assert row.safe == row.runs, row.misses
