"""How the planner's process is set up."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("rclpy")

from cem_planner import cem_planner_node


def test_a_thread_that_plans_keeps_the_control_loop_waiting_only_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def run_node(*_: object) -> int:
        seen.append(sys.getswitchinterval())
        return 0

    monkeypatch.setattr(cem_planner_node, "run_node", run_node)
    before = sys.getswitchinterval()
    try:
        assert cem_planner_node.main() == 0
    finally:
        sys.setswitchinterval(before)
    assert seen == [pytest.approx(cem_planner_node.SWITCH_INTERVAL)] and seen[0] < 0.2 * before
