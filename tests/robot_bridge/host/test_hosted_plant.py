"""The plant host as a process: what it does when the bridge stops talking, dies, or when it dies itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from robot_bridge.host.hosted_plant import HostedPlant
from robot_bridge.host.watchdog import Limits
from robot_bridge.plant import PlantError
from robot_bridge.types import JointTargets

HANG = 120.0
"""s after which a test gives up; says nothing about speed."""
_ROOT = str(Path(__file__).resolve().parents[3])
_SOURCES = str(Path(_ROOT) / "ros2_ws" / "src" / "robot_bridge")


@dataclass(frozen=True)
class Options:
    path: str
    fails: str = ""


class Noting(HostedPlant):
    entry = "tests.robot_bridge.host.device:NotingDevice"
    Options = Options
    limits = Limits(silence=1.0, state=1.0)  # generous: a busy machine must not look like a silent bridge


def _damping() -> JointTargets:
    return JointTargets(np.zeros(18), kd=np.ones(18))


def _holding() -> JointTargets:
    return JointTargets(np.zeros(18), kp=np.ones(18), kd=np.ones(18))


class Run:
    """A hosted plant and the notes of its device."""

    def __init__(self, folder: Path, fails: str = "") -> None:
        self.path = folder / "notes"
        self.plant = Noting(Options(str(self.path), fails))

    def words(self) -> list[str]:
        return [line.split(" ", 1)[1] for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def pids(self) -> list[int]:
        return [int(line.split()[0]) for line in self.path.read_text().splitlines()]

    def until(self, word: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        give_up = time.monotonic() + HANG
        while not self.words() or self.words()[-1] != word:
            assert time.monotonic() < give_up, f"no '{word}' in {self.words()}"
            meanwhile()
            time.sleep(0.01)

    def write_until(self, word: str, targets: JointTargets) -> None:
        def talk() -> None:
            self.plant.read()
            self.plant.write(targets)

        self.until(word, talk)

    def begin(self) -> None:
        self.plant.start()
        self.write_until("write 0", _damping())
        self.write_until("write 1", _holding())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("PYTHONPATH", _ROOT)
    run = Run(tmp_path)
    yield run
    run.plant.stop()


def test_holds_the_legs_only_after_it_was_told_to_damp(run: Run) -> None:
    run.plant.start()
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:  # as a bridge would that goes on where an earlier one ended
        run.plant.write(_holding())
        time.sleep(0.01)
    assert run.words() == ["start", "damp"]
    assert "plant host damps" in "".join(run.plant.read().faults)  # type: ignore[union-attr]
    run.write_until("write 0", _damping())
    run.write_until("write 1", _holding())
    run.plant.stop()
    assert run.words() == ["start", "damp", "write 0", "write 1", "stop"]
    assert run.plant.diagnostics()["device"] == "notes"


def test_silent_bridge_leads_to_damping_which_it_has_to_undo(run: Run) -> None:
    run.begin()
    run.until("damp")  # this process is silent here
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        run.plant.write(_holding())
        state = run.plant.read()
        time.sleep(0.01)
    assert run.words()[-1] == "damp"
    assert state is not None and "silent" in state.faults[0]
    run.write_until("write 0", _damping())


def test_end_of_the_bridge_stops_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bridge is killed, so it cannot say goodbye."""
    monkeypatch.setenv("PYTHONPATH", _ROOT)
    code = (
        "import sys, time; from pathlib import Path; from tests.robot_bridge.host.test_hosted_plant import *\n"
        "run = Run(Path(sys.argv[1])); run.begin()\n"
        "while True: run.plant.write(_holding()); time.sleep(0.01)"
    )
    bridge = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=_ROOT)
    watched = Run(tmp_path)
    try:
        watched.until("write 1")
    finally:
        bridge.kill()
        bridge.wait()
    watched.until("stop")
    host = watched.pids()[0]
    give_up = time.monotonic() + HANG
    while Path(f"/proc/{host}").exists():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_killed_host_is_noticed_and_another_one_damps(run: Run) -> None:
    run.begin()
    os.kill(run.pids()[0], signal.SIGKILL)
    with pytest.raises(PlantError, match="ended by signal 9"):
        run.write_until("never", _holding())
    run.plant.stop()
    assert run.words()[-1] == "rescue"
    assert run.pids()[-1] != run.pids()[0]


def test_signal_to_the_host_stops_the_device_first(run: Run) -> None:
    run.begin()
    os.kill(run.pids()[0], signal.SIGTERM)
    with pytest.raises(PlantError, match="ended with exit status 0"):
        run.write_until("never", _holding())
    assert run.words()[-1] == "stop"
    run.plant.stop()
    assert "rescue" not in run.words()


@pytest.mark.parametrize(("fails", "expected"), [("start", "the device has no power"), ("read", "the device burns")])
def test_errors_come_in_one_line_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, expected: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", _ROOT)
    run = Run(tmp_path, fails)
    with pytest.raises(PlantError) as error:
        run.begin()
    assert str(error.value) == expected
    run.plant.stop()
    assert run.words()[-1] == "stop"  # and no rescue


def test_unknown_device_is_told_in_one_line(tmp_path: Path) -> None:
    plant = Noting(Options(str(tmp_path / "notes")))
    plant.entry = "nowhere:Nothing"  # type: ignore[misc]
    with pytest.raises(PlantError, match='plant "nowhere:Nothing"'):
        plant.start()
    plant.stop()


@pytest.mark.parametrize("version", ["3.6", "3.8"])
def test_old_interpreters_can_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    python = _interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    folder = tmp_path / "modules"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("device.py"), folder / "noting_device.py")

    class Old(Noting):
        pass

    Old.python, Old.entry = python, "noting_device:NotingDevice"
    monkeypatch.setattr(Old, "_environment", lambda self: {**os.environ, "PYTHONPATH": f"{_SOURCES}:{folder}"})
    run = Run(tmp_path)
    run.plant = Old(Options(str(run.path)))
    try:
        run.begin()
    finally:
        run.plant.stop()
    assert run.words() == ["start", "damp", "write 0", "write 1", "stop"]


def _interpreter(version: str) -> str | None:
    """Return a Python of this version that starts, None where there is none."""
    candidates = [shutil.which(f"python{version}")]
    candidates += [str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for candidate in filter(None, candidates):
        answer = subprocess.run([candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                                capture_output=True, text=True)  # fmt: skip
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return candidate
    return None
