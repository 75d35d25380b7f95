"""A whole run in small: same seed, same numbers; resumed as uninterrupted; caches, export, and mistakes in one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from go2_piper_description.joints import JOINT_NAMES, LEG_JOINT_NAMES

from training.amp import eval_amp_ppo_jax, train_amp_ppo_jax
from training.amp.config import AmpConfig, Schedule, load_config
from training.amp.evaluation import policy_of
from training.amp.expert import DISC_OBS, expert_data
from training.amp.export import columns, expert_of, varied
from training.amp.loading import load_run
from training.amp.motion import Motion, save_motion
from training.amp.robot import robot_config, robot_model
from training.amp.state import BEST, LATEST, CheckpointError, read_checkpoint
from training.amp.train import NAN_DUMP, AmpTrainer, TrainingDiverged
from training.models.loading import load_policy
from training.run_folder import hold
from training.run_log import last_rows

ROBOT = robot_config("Go2Piper.walk.mocap")
SMALL: dict[str, Any] = {
    "num_envs": 8,
    "threads": 1,
    "num_steps": 4,
    "save_interval": 2,
    "evaluate_interval": 4,
    "evaluate_envs": 2,
    "replay_size": 64,
    "replay_added": 16,
    "replay_sampled": 32,
    "learner": {
        "actor_hidden": [16, 8], "critic_hidden": [16], "disc_hidden": [16],
        "epochs": 1, "minibatches": 2, "disc_steps": 2, "disc_batch": 16,
    },
    "schedule": {"million_steps": 8 * 4 * 4 / 1e6},
}  # fmt: skip


def squats() -> Motion:
    """A clip of a robot that bends its knees."""
    time = np.arange(40) / 50.0
    qpos = np.tile(robot_model(ROBOT).key("stand").qpos[:19], (40, 1))
    qvel = np.zeros((40, 18))
    swing, speed = 0.1 * np.sin(6.0 * time), 0.6 * np.cos(6.0 * time)
    for leg in range(4):
        for joint, sign in ((1, 1.0), (2, -2.0)):
            qpos[:, 7 + 3 * leg + joint] += sign * swing
            qvel[:, 6 + 3 * leg + joint] = sign * speed
    return Motion(LEG_JOINT_NAMES, qpos, qvel, (40,), ("squats",), 50.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("amp")
    save_motion(folder / "clips.npz", squats())
    (folder / "small.yaml").write_text(yaml.safe_dump({**SMALL, "custom_traj_path": str(folder / "clips.npz")}))
    return folder


def train(place: Path, name: str, *more: str) -> int:
    arguments = ["--config", str(place / "small.yaml"), "--seed", "3", "--deterministic", "--jax_cpu"]
    where = [] if "--resume" in more else ["--out", str(place / name)]
    return train_amp_ppo_jax.main([*arguments, *where, *more])


@pytest.fixture(scope="module")
def finished(place: Path) -> Path:
    assert train(place, "first") == 0
    return place / "first"


def rows(folder: Path) -> list[dict[str, float]]:
    timing = ("steps_per_second", "rollout_share")
    return [{k: v for k, v in row.items() if k not in timing} for row in last_rows(folder / "losses.csv", 4)]


def test_the_same_seed_gives_the_same_numbers(place: Path, finished: Path) -> None:
    assert train(place, "second") == 0
    assert rows(finished) == rows(place / "second")
    a, b = (read_checkpoint(folder / LATEST).tensors for folder in (finished, place / "second"))
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[key], b[key]) for key in a)


def test_resumed_equals_uninterrupted(place: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    iterate = AmpTrainer.iterate

    def stop_in_the_third(self: AmpTrainer) -> dict[str, float]:
        row = iterate(self)
        self._stop_asked = self.state.progress.iteration == 3
        return row

    monkeypatch.setattr(AmpTrainer, "iterate", stop_in_the_third)
    assert train(place, "cut") == 130
    monkeypatch.undo()
    assert read_checkpoint(place / "cut" / LATEST).progress.iteration == 2
    assert train(place, "cut", "--resume", str(place / "cut")) == 0
    assert rows(place / "cut") == rows(finished)
    a, b = (read_checkpoint(folder / LATEST).tensors for folder in (finished, place / "cut"))
    assert all(np.array_equal(a[key], b[key]) for key in a)


def test_resuming_another_run_is_refused(place: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = {**SMALL, "num_steps": 5, "custom_traj_path": str(place / "clips.npz")}
    (place / "other.yaml").write_text(yaml.safe_dump(other))
    assert (
        train_amp_ppo_jax.main(["--config", str(place / "other.yaml"), "--seed", "4", "--resume", str(finished)]) == 2
    )
    line = capsys.readouterr().err.strip()
    assert line.count("\n") == 0 and "another configuration (num_steps, seed)" in line


def test_a_run_is_not_written_over(place: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    assert train(place, "first") == 2
    assert (
        capsys.readouterr().err.strip().endswith(f"holds a run: go on with --resume {finished}, or give another --out")
    )
    with hold(finished):
        assert train(place, "first", "--resume", str(finished)) == 2
    assert "another training is writing to" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_export_is_the_same_policy(finished: Path) -> None:
    run = load_run(finished / BEST)
    expert = expert_of(run.saved)
    import torch

    whole = torch.randn(5, expert.mlp[0].in_features, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        theirs = expert(whole).numpy()
    shown = whole.numpy()[:, columns(ROBOT)]
    sideways = 7  # the command that steering never gives; from the stack it may be anything
    assert np.flatnonzero(~varied(run.saved)).tolist() == [sideways]
    shown[:, sideways] = 0.0
    ours = policy_of(run.learner, run.state)(shown)
    legs = [JOINT_NAMES.index(name) for name in LEG_JOINT_NAMES]
    assert theirs[:, legs] == pytest.approx(ours, abs=1e-5)
    assert not np.delete(theirs, legs, axis=1).any(), "the arm stays at home"


def test_exported_columns_are_the_terms_that_the_environment_shows() -> None:
    """The observation of the steering environment, from the stack's own builder."""
    from go2_piper_description.kinematics import ArmKinematics
    from moe_controller.observation import DEFAULT_TERMS, ObservationBuilder, ObservationInputs

    from training.amp.env import Disturbances, EpisodeConfig, SteeringEnv
    from training.amp.steering import SteeringConfig
    from training.amp.stepper import make_stepper

    env = SteeringEnv(
        ROBOT, make_stepper("mujoco", ROBOT, 3, 1), SteeringConfig(), Disturbances(), EpisodeConfig(), None, seed=2
    )
    for _ in range(3):
        env.step(np.random.default_rng(0).normal(0.0, 0.3, (3, 12)))
    qpos, qvel = env.stepper.qpos, env.stepper.qvel
    action = np.zeros((3, 18))
    action[:, :12] = env.last_action
    builder = ObservationBuilder(DEFAULT_TERMS, ArmKinematics())
    inputs = ObservationInputs(
        orientation=qpos[:, [4, 5, 6, 3]],
        angular_velocity=qvel[:, 3:6],
        joint_position=qpos[:, 7:],
        joint_velocity=qvel[:, 6:],
        velocity_command=env.steering.command(env.state.yaw),
        target_position=np.full((3, len(builder.times), 3), 0.3),
        target_rotation=np.tile(np.eye(3), (3, len(builder.times), 1, 1)),
        last_action=action,
        arm=ArmKinematics(),
    )
    whole = builder.build(inputs)
    assert whole[:, columns(ROBOT)] == pytest.approx(env.observation.actor, abs=1e-5)


def test_exported_checkpoint_is_a_policy_of_the_stack(finished: Path, tmp_path: Path) -> None:
    from training.amp.export import main
    from training.export import export

    assert main(["--model_path", str(finished / BEST), "--out", str(tmp_path)]) == 0
    policy = load_policy(tmp_path / "amp.safetensors")
    assert policy.experts == ("amp",)
    summary = export(tmp_path / "amp.safetensors", tmp_path / "onnx")
    assert Path(summary["file"]).is_file()


def test_evaluation_writes_figures_and_plots(
    place: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model_path", str(finished / BEST), "--n_steps", "60", "--num_envs", "2", "--deterministic"]
    status = eval_amp_ppo_jax.main([*arguments, "--held_out", str(place / "clips.npz"), "--out", str(tmp_path)])
    assert status == 0, capsys.readouterr().err
    assert (tmp_path / "figures.json").is_file() and (tmp_path / "gait.png").is_file()


def test_cache_is_made_anew_when_its_inputs_change(tmp_path: Path) -> None:
    source = tmp_path / "clips.npz"
    save_motion(source, squats())
    _, rows, cached = expert_data(tmp_path, ROBOT, source)
    assert not cached and expert_data(tmp_path, ROBOT, source)[2]
    other = dataclasses.replace(ROBOT, physics_timestep=0.005)
    assert not expert_data(tmp_path, other, source)[2], "another model"
    assert not expert_data(tmp_path, ROBOT, source)[2]
    motion = squats()
    motion.qpos[:, 2] += 0.01
    save_motion(source, motion)
    _, moved, cached = expert_data(tmp_path, ROBOT, source)
    assert not cached and moved[:, 0] == pytest.approx(rows[:, 0] + 0.01)
    (tmp_path / DISC_OBS).write_bytes(b"damaged")
    assert not expert_data(tmp_path, ROBOT, source)[2]


def test_numbers_that_are_not_finite_stop_the_run_with_a_dump(place: Path, tmp_path: Path) -> None:
    config = load_config(place / "small.yaml")
    trainer = AmpTrainer(config, tmp_path, place / "clips.npz", 1)
    policy = trainer.state.learner.policy
    trainer.state.learner = trainer.state.learner._replace(policy=policy._replace(log_std=policy.log_std * np.nan))
    with pytest.raises(TrainingDiverged, match="not finite in the policy's actions at iteration 0; dump in"):
        trainer.iterate()
    with np.load(tmp_path / NAN_DUMP) as dump:
        assert np.isnan(dump["action"]).all() and np.isfinite(dump["obs"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "nowhere.yaml"], "config nowhere.yaml: No such file"),
        (["--env_id", "Nobody.walk"], "env_id 'Nobody.walk' is unknown"),
        (["--resume", "{place}/nothing"], "no checkpoint at"),
        (["--config", "{place}/typo.yaml"], "unknown setting num_env"),
        (["--config", "{place}/missing.yaml"], "gone.npz: no such file"),
    ],
)
def test_mistakes_are_one_line(
    place: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "typo.yaml").write_text("num_env: 3\n")
    (place / "missing.yaml").write_text(yaml.safe_dump({**SMALL, "custom_traj_path": str(place / "gone.npz")}))
    filled = [text.format(place=place) for text in arguments]
    defaults = [] if "--config" in filled else ["--config", str(place / "small.yaml")]
    where = [] if "--resume" in filled else ["--out", str(tmp_path)]
    assert train_amp_ppo_jax.main([*defaults, *where, *filled]) == 2
    line = capsys.readouterr().err.strip()
    assert message in line and "\n" not in line


def test_bad_checkpoints_are_one_line(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert eval_amp_ppo_jax.main(["--model_path", str(tmp_path / "gone.safetensors")]) == 2
    assert "no checkpoint at" in capsys.readouterr().err
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes((finished / BEST).read_bytes()[:200])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        read_checkpoint(broken)
    with pytest.raises(CheckpointError, match="no checkpoint of the AMP training"):
        read_checkpoint(Path("models/base.safetensors"))


def test_schedule_lets_the_noise_fall_and_the_learning_rate_follow_the_divergence() -> None:
    schedule = Schedule(entropy_until=3.0, std_cap_from=1.2, std_cap_until=3.0)
    assert [schedule.cap(m) for m in (0.0, 1.2, 3.0, 9.0)] == pytest.approx([0.55, 0.55, 0.1, 0.1])
    assert 0.1 < schedule.cap(2.0) < schedule.cap(1.5) < 0.55
    assert [schedule.style_factor(m) for m in (0.0, 2.1, 9.0)] == pytest.approx([1.0, 1.25, 1.5])
    assert schedule.entropy_weight(0.0) == 0.003 and schedule.entropy_weight(4.0) == 0.0
    assert schedule.next_rate(1e-4, 0.05) < 1e-4 < schedule.next_rate(1e-4, 0.001)
    assert schedule.next_rate(2e-5, 1.0) == 2e-5 and schedule.next_rate(5e-4, 0.0) == 5e-4
    with pytest.raises(ValueError, match="std_cap"):
        Schedule(std_cap=(0.1, 0.5))
    with pytest.raises(ValueError, match="at least 1"):
        AmpConfig(num_envs=0)
    with pytest.raises(ValueError, match="not more groups than robots"):
        AmpConfig(num_envs=3, groups=4)
