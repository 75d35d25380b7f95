"""Rollouts of tiny policies on all suites."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.contract import VelocityLimits

from tests.training.models.fixtures import SIZE, write_expert, write_moe
from training.envs.config import EnvConfig, Randomization
from training.evaluation.rollout import run_script, run_suite
from training.evaluation.settings import EvaluationError, Settings
from training.evaluation.suites import SUITES, Case, environment
from training.export import main as export
from training.models.loading import load_policy
from training.models.policy import Policy, PolicyOutputs
from training.models.routers import Observations

from .fixtures import QUICK


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return load_policy(write_expert(tmp_path / "e.safetensors"))


@pytest.mark.parametrize("name", list(SUITES))
def test_every_suite_runs(policy: Policy, name: str) -> None:
    suite, done = SUITES[name], list[float]()
    s = run_suite(policy, suite, QUICK, done.append)
    robots = QUICK.envs * len(suite.cases)
    assert s.reward.shape == (5, robots) and s.weights.shape == (5, robots, 1, 1)
    assert s.tolerance.shape == (robots, 2)
    assert done[-1] == pytest.approx(1.0) and done == sorted(done)
    assert bool(s.parts) == bool(suite.parts) and s.part.max() < max(1, len(s.parts))
    assert (s.since[0] == pytest.approx(0.02)) and np.isfinite(s.ee_error).all()
    if name in ("S1", "S2", "S5"):
        assert s.reach.all() == (name != "S2") and s.walk.all() == (name != "S1")


def test_same_seed_same_samples(policy: Policy) -> None:
    one, same, other = (run_suite(policy, SUITES["S5"], replace(QUICK, seed=seed)) for seed in (77, 77, 78))
    np.testing.assert_array_equal(one.reward, same.reward)
    assert not np.array_equal(one.command, other.command)


def test_velocity_is_judged_by_what_was_asked_for_and_not_by_the_ramp_towards_it(policy: Policy) -> None:
    first = run_suite(policy, SUITES["S5"], QUICK).command[0]
    told_at_first = np.array(VelocityLimits().acceleration) * EnvConfig().control_period
    assert np.any(np.abs(first) > told_at_first)


def test_delay_and_randomisation_change_what_the_robot_does(policy: Policy) -> None:
    plain = run_suite(policy, SUITES["S5"], QUICK)
    for changed in (replace(QUICK, delay=0.02), replace(QUICK, randomized=True)):
        assert not np.array_equal(run_suite(policy, SUITES["S5"], changed).velocity, plain.velocity)


def test_what_is_drawn_per_robot() -> None:
    case = Case("c", environment({}), push=(2.0, 0.6), payload=0.5)
    drawn = Settings(delay=0.01).robot(case)
    assert (drawn.push_interval, drawn.push_velocity, drawn.payload, drawn.delay) == (2.0, 0.6, (0.5,) * 2, (0.01,) * 2)
    assert (drawn.friction, drawn.gyro_noise) == ((0.8, 0.8), 0.0)
    plain = Case("c", environment({}))
    assert Settings().robot(plain) == Randomization.none()
    assert Settings(randomized=True).robot(plain) == Randomization()


class _Broken(Policy):
    name, experts, groups = "broken", ("one",), ("all",)

    def __init__(self, like: Policy) -> None:
        self.observation = like.observation

    def run(self, obs: Observations) -> PolicyOutputs:
        n = obs["policy"].shape[0]
        action = torch.full((n, NUM_JOINTS), torch.nan)
        return PolicyOutputs(action, torch.ones(n, 1, 1), action[:, None])


def test_actions_that_are_not_finite_are_one_line(policy: Policy) -> None:
    with pytest.raises(EvaluationError, match="^broken gives actions that are not finite$"):
        run_suite(_Broken(policy), SUITES["S5"], QUICK)


def test_a_fall_is_counted_and_the_robot_goes_on(policy: Policy) -> None:
    class Jump(_Broken):
        def run(self, obs: Observations) -> PolicyOutputs:
            assert obs["policy"].shape[1] == SIZE
            action = 6.0 * torch.ones(obs["policy"].shape[0], NUM_JOINTS)
            return PolicyOutputs(action, torch.ones(len(action), 1, 1), action[:, None])

    s = run_suite(Jump(policy), SUITES["S5"], replace(QUICK, seconds=3.0))
    assert s.fallen.any()
    step, robot = np.argwhere(s.fallen[:-1])[0]
    assert s.since[step + 1, robot] == pytest.approx(0.02)


def test_weights_through_the_script(tmp_path: Path) -> None:
    write_moe(tmp_path / "m.safetensors", {"kind": "traj_attention"})
    line = run_script(load_policy(tmp_path / "m.safetensors"), replace(QUICK, seconds=0.24))
    assert line.weights.shape == (12, 2, 2) and line.phase == pytest.approx(0.04)
    np.testing.assert_allclose(line.weights.sum(axis=2), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suites": ("S1", "S9")}, "unknown suite S9; known: S1, S2"),
        ({"suites": ()}, "unknown suite"),
        ({"envs": 0}, "at least 1"),
        ({"delay": 0.03}, "--delay 0.03: from 0 to 0.02 s"),
        ({"delay": float("nan")}, "--delay nan"),
        ({"seconds": 0.0}, "--seconds 0: from 0.1"),
        ({"seed": -1}, "--seed at least 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        replace(QUICK, **changes)


def test_onnx_does_what_its_checkpoint_does(tmp_path: Path) -> None:
    config, scale = {"env": asdict(EnvConfig())}, (0.25,) * 12 + (0.5,) * 6
    write_moe(tmp_path / "m.safetensors", {"kind": "traj_attention"}, config=config, action_scale=scale)
    export(["--ckpt", str(tmp_path / "m.safetensors"), "--out", str(tmp_path / "out")])
    torch_one, onnx_one = (
        run_suite(load_policy(tmp_path / name), SUITES["S5"], QUICK) for name in ("m.safetensors", "out/m.onnx")
    )
    np.testing.assert_allclose(onnx_one.weights, torch_one.weights, atol=1e-5)
    np.testing.assert_allclose(onnx_one.velocity, torch_one.velocity, atol=1e-4)
