"""Priorities of nodes that must not disturb control."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from robot_bridge.niceness import AUTOGROUP

SAY = """
import os
from robot_bridge.niceness import AUTOGROUP, give_way
before = AUTOGROUP.read_text() if AUTOGROUP.exists() else ""
give_way(7)
print(os.nice(0), AUTOGROUP.read_text().strip() if AUTOGROUP.exists() else "", before.strip(), sep="|")
"""


def said(new_session: bool) -> list[str]:
    command = [sys.executable, "-c", SAY]
    result = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=new_session)
    return result.stdout.strip().split("|")


def test_a_process_lowers_itself() -> None:
    assert int(said(False)[0]) == min(os.nice(0) + 7, 19)


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel has no autogroups")
def test_a_session_is_lowered_only_by_its_only_node() -> None:
    _, alone, _ = said(True)
    _, shared, before = said(False)
    assert alone.endswith("nice 7") and shared == before
