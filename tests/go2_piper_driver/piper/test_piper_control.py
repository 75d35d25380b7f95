"""An independent client, `piper_control` of another house, drives the emulated arm; both in processes of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from go2_piper_driver.emulation.can.loopcan import channel_folder

from tests.support.processes import Processes

pytest.importorskip("piper_control", reason="piper_control is not installed: pip install piper_control==1.5.0")


@pytest.fixture
def emulated(processes: Processes, ros_domain: int) -> Iterator[str]:
    """Channel of an emulated arm that runs."""
    channel = f"control{ros_domain}"
    process: subprocess.Popen[str] = processes.start(
        "go2_piper_driver.emulation.piper.standalone", "--channel", channel
    )
    assert process.stdout is not None
    assert "emulated Piper" in process.stdout.readline()
    yield channel
    process.terminate()
    process.communicate(timeout=30)
    shutil.rmtree(channel_folder(channel))


@pytest.mark.integration
@pytest.mark.realtime
def test_piper_control_drives_the_emulated_arm(processes: Processes, emulated: str) -> None:
    result = processes.run("tests.support.piper_control_client", emulated)
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout.strip().splitlines()[-1])
    assert seen.pop("firmware") == "1.8.post2", "how `packaging` reads V1.8-2"
    assert seen.pop("error") < 0.01
    assert seen.pop("mit") == pytest.approx(0.3, abs=0.06)
    assert seen.pop("rate") > 0.0
    assert seen == {
        "enabled": True,
        "control": "CAN_COMMAND",
        "arrived": True,
        "gripper": True,
        "stopped": True,
        "reset": ["NORMAL", "CAN_COMMAND", True],
        "levels": True,
        "parked": True,
        "disabled": True,
        "errors": [False] * 6,
    }
