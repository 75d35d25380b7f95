"""The network that proposes plans: what it computes, what it refuses, and that the planner takes it as a candidate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cem_planner import run_policy_aot
from cem_planner.network import NUM_FEATURES, NetworkError, PlanNetwork, features, save
from cem_planner.planner import Planner
from cem_planner.planning import ARM, BODY, InlinePlanning, Job
from cem_planner.settings import PlannerSettings
from cem_planner.stance import NOMINAL_TRUNK
from go2_piper_description.kinematics import ArmKinematics

from .bowl import LOWER, UPPER, Bowl
from .standing import problem

SETTINGS = PlannerSettings(num_samples=20, num_elites=4)


def layers(seed: int = 0, outputs: int = 48) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(seed)
    sizes = [NUM_FEATURES, 8, outputs]
    return [
        (random.normal(0, 0.1, (before, after)).astype(np.float32), random.normal(0, 0.1, after).astype(np.float32))
        for before, after in zip(sizes, sizes[1:], strict=False)
    ]


def written(path: Path, settings: PlannerSettings = SETTINGS, **changes: Any) -> Path:
    scale = np.stack([np.full(NUM_FEATURES, 0.1), np.full(NUM_FEATURES, 2.0)])
    save(path, changes.get("layers", layers()), changes.get("scale", scale), settings, "by a test")
    return path


def test_knots_are_the_command_and_what_the_layers_say(tmp_path: Path) -> None:
    network = PlanNetwork(written(tmp_path / "net.npz"), SETTINGS)
    seen = (features(problem()) - 0.1) / 2.0
    (first, first_bias), (second, second_bias) = layers()
    wanted = np.tanh(seen @ first + first_bias) @ second + second_bias
    knots = network.knots(problem())
    assert knots.shape == (4, 12) and knots.dtype == np.float32
    np.testing.assert_allclose(knots, problem().previous_command + wanted.reshape(4, 12), atol=1e-5)


def test_a_free_orientation_is_not_seen() -> None:
    free, fixed = features(problem(orientation_weight=0.0)), features(problem(orientation_weight=0.3))
    assert len(free) == NUM_FEATURES and free[60] == 0.0 and fixed[60] == 1.0
    for turns in (slice(51, 60), slice(64, 73)):
        assert not np.any(free[turns]) and np.any(fixed[turns])


def test_how_far_the_command_is_from_the_goal() -> None:
    task = problem()
    moved = replace(task, goal=replace(task.goal, position=task.goal.position + [0.1, 0.0, -0.2]))
    before, after = features(task), features(moved)
    np.testing.assert_allclose((after - before)[61:64], [0.1, 0.0, -0.2], atol=1e-6)
    arm = ArmKinematics().ee_transform(task.previous_command[6:])
    np.testing.assert_allclose(before[61:64], task.goal.position - NOMINAL_TRUNK - arm[:3, 3], atol=1e-6)
    np.testing.assert_allclose(before[64:73].reshape(3, 3), arm[:3, :3].T @ task.goal.rotation, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": PlannerSettings(num_knots=5)}, "made for num_knots 5, the planner has 4"),
        ({"settings": PlannerSettings(plan_horizon=0.4)}, "made for plan_horizon 0.4"),
        ({"settings": PlannerSettings(spline="cubic")}, "made for spline cubic"),
        ({"layers": layers(outputs=12)}, "do not fit a plan"),
        ({"scale": np.full((2, NUM_FEATURES), np.nan)}, "not finite"),
        ({"scale": np.ones((2, 5))}, "do not fit a plan"),
    ],
)
def test_networks_for_other_plans_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path / "net.npz", **changes)
    with pytest.raises(NetworkError, match=message) as found:
        PlanNetwork(path, SETTINGS)
    assert "\n" not in str(found.value) and str(path) in str(found.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    good = written(tmp_path / "net.npz").read_bytes()
    with np.load(tmp_path / "net.npz") as file:
        changed = {key: file[key] for key in file.files}
    changed["bias0"] = changed["bias0"] + 1e-3
    np.savez(tmp_path / "changed.npz", **changed)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", meta=np.array([{"schema": 1}], dtype=object))
    flipped = bytearray(good)
    flipped[good.index(layers()[0][0].tobytes()) + 7] ^= 0xFF
    for name, data in (("cut", good[: len(good) // 2]), ("empty", b""), ("flipped", bytes(flipped)), ("text", b"hi")):
        (tmp_path / f"{name}.npz").write_bytes(data)
    for name in ("missing", "changed", "other", "pickle", "cut", "empty", "flipped", "text"):
        with pytest.raises(NetworkError) as found:
            PlanNetwork(tmp_path / f"{name}.npz", SETTINGS)
        assert f"{name}.npz" in str(found.value) and "\n" not in str(found.value)
    with pytest.raises(NetworkError, match="damaged"):
        PlanNetwork(tmp_path / "changed.npz", SETTINGS)
    with pytest.raises(NetworkError):
        PlanNetwork(tmp_path, SETTINGS)


def test_the_planner_takes_it_as_a_candidate(tmp_path: Path) -> None:
    network = PlanNetwork(written(tmp_path / "net.npz"), SETTINGS)
    plans = {}
    for name, proposing in (("with", network), ("without", None)):
        bowl = Bowl()
        bowl.target = np.clip(network.knots(problem()), LOWER, UPPER)  # costs are least where the network says
        planners = {kind: Planner(SETTINGS, bowl) for kind in (BODY, ARM)}
        planning = InlinePlanning(planners, network=proposing)
        for kind in (BODY, ARM):
            planning.submit(Job(kind, problem(), 0.0))
            assert planning.newest is not None
            plans[name, kind] = planning.newest.plan.cost
    assert plans["with", BODY] == pytest.approx(0.0, abs=1e-9)
    assert plans["without", BODY] > 1e-4
    assert plans["with", ARM] == plans["without", ARM], "it knows nothing of a robot that walks"


def test_command_line_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_policy_aot.main(["--model_path", "none", "--network", str(tmp_path / "none.npz"), "--headless"]) == 2
    error = capsys.readouterr().err
    assert "none.npz cannot be read" in error and error.count("\n") == 1
