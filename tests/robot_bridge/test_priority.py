"""Priorities of nodes that control, and of those that must not disturb them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from robot_bridge.priority import AUTOGROUP, BRIDGE, CONTROLLER, THREADS, go_first

from tests.support.real_time import granted

SAY = """
import os
from robot_bridge.priority import AUTOGROUP, give_way
before = AUTOGROUP.read_text() if AUTOGROUP.exists() else ""
give_way(7)
print(os.nice(0), AUTOGROUP.read_text().strip() if AUTOGROUP.exists() else "", before.strip(), sep="|")
"""


def said(new_session: bool) -> list[str]:
    command = [sys.executable, "-c", SAY]
    result = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=new_session)
    return result.stdout.strip().split("|")


def test_a_process_lowers_itself() -> None:
    assert int(said(False)[0]) >= 7


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel has no autogroups")
def test_a_session_is_lowered_only_by_its_only_node() -> None:
    _, alone, _ = said(True)
    _, shared, before = said(False)
    assert alone.endswith("nice 7") and shared == before


def test_all_threads_go_first() -> None:
    ask = """
import os, threading
from robot_bridge.priority import CONTROLLER, THREADS, go_first
threading.Thread(target=threading.Event().wait, daemon=True).start()
print(go_first(CONTROLLER))
for thread in THREADS.iterdir():
    print(os.sched_getscheduler(int(thread.name)), os.sched_getparam(int(thread.name)).sched_priority)
"""
    result = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    answer, *threads = result.stdout.splitlines()
    expected = ("real time", f"{os.SCHED_RR} {CONTROLLER}") if granted() else ("normal", f"{os.SCHED_OTHER} 0")
    assert (answer, threads) == (expected[0], [expected[1]] * 2)


def test_without_the_right_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert go_first(CONTROLLER) == "normal"


def test_the_gate_goes_before_the_policy() -> None:
    assert CONTROLLER < BRIDGE
    assert THREADS.is_dir()
