"""The steering task, its environment and what the discriminator sees of it."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest
from go2_piper_description.joints import LEG_JOINT_NAMES

from training.amp.env import Disturbances, EpisodeConfig, SteeringEnv
from training.amp.features import (
    build_disc_obs_spec,
    build_expert_disc_obs,
    disc_state,
    motion_states,
    rotation,
)
from training.amp.motion import Motion, MotionError
from training.amp.robot import RobotConfig, environments, robot_config, robot_model
from training.amp.steering import Steering, SteeringConfig
from training.amp.stepper import make_stepper
from training.structured import ConfigError

ROBOT = robot_config("Go2Piper.walk.mocap")
STILL = SteeringConfig(speed=(0.5, 0.5), turn=0.0)


def make_env(
    count: int = 4, disturbances: Disturbances | None = None, motion: Motion | None = None, **episodes: float
) -> SteeringEnv:
    config = EpisodeConfig(**{"home_spread": 0.0, "reference_start": 0.0, **episodes})
    stepper = make_stepper("mujoco", ROBOT, count, 1)
    return SteeringEnv(ROBOT, stepper, STILL, disturbances or Disturbances(), config, motion, seed=3)


def motion_of(qpos: np.ndarray, qvel: np.ndarray) -> Motion:
    return Motion(LEG_JOINT_NAMES, qpos, qvel, (len(qpos),), ("clip",), 50.0)


def test_rotation_is_that_of_mujoco() -> None:
    quaternion = np.random.default_rng(0).normal(size=4)
    quaternion /= np.linalg.norm(quaternion)
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quaternion)
    assert rotation(quaternion) == pytest.approx(matrix.reshape(3, 3))


def test_clips_and_simulation_give_the_same_features() -> None:
    """A policy must not be told apart by how its motion was measured."""
    env = make_env(2)
    rng = np.random.default_rng(1)
    for _ in range(5):
        step = env.step(rng.normal(0.0, 0.5, (2, 12)))
    stepper = env.stepper
    qpos = np.repeat(stepper.qpos[:1, :19], 3, axis=0)
    qvel = np.repeat(stepper.qvel[:1, :18], 3, axis=0)
    seen = disc_state(motion_states(ROBOT, motion_of(qpos, qvel)))
    assert seen[0] == pytest.approx(disc_state(env.state)[0], abs=1e-6)
    assert step.transition[0, 46:] == pytest.approx(seen[0], abs=1e-6)
    assert not np.allclose(step.transition[0, :46], step.transition[0, 46:], atol=1e-4)


def test_no_transition_leads_from_clip_to_clip() -> None:
    home = np.tile(robot_model(ROBOT).key("stand").qpos[:19], (7, 1))
    home[3:, 2] += 1.0
    motion = Motion(LEG_JOINT_NAMES, home, np.zeros((7, 18)), (3, 4), ("low", "high"), 50.0)
    rows = build_expert_disc_obs(ROBOT, motion)
    size = build_disc_obs_spec(ROBOT).state_size
    assert rows.shape == (2 + 3, 2 * size)
    assert np.all(rows[:, 0] == rows[:, size]), "the height jumps between the clips"


def test_no_transition_leads_across_a_reset() -> None:
    env = make_env(2, length=0.06)
    ends = []
    for _ in range(6):
        step = env.step(np.full((2, 12), 3.0))
        ends.append(step.timed_out.all())
        assert np.abs(step.transition[:, 0] - step.transition[:, 46]).max() < 0.1
        after = disc_state(env.state)
        assert np.allclose(step.transition[:, 46:], after) != bool(ends[-1])
    assert ends == [False, False, True] * 2


def test_features_follow_the_root_not_the_world() -> None:
    """Walking north or east is the same style."""
    home = robot_model(ROBOT).key("stand").qpos[:19].copy()
    qvel = np.zeros((3, 18))
    qvel[:, 0] = 0.5
    there = np.tile(home, (3, 1))
    turned = there.copy()
    turned[:, :2] = 4.0
    turned[:, 3:7] = [np.cos(0.5), 0.0, 0.0, np.sin(0.5)]
    forward = qvel.copy()
    forward[:, :2] = 0.5 * np.array([np.cos(1.0), np.sin(1.0)])
    a = disc_state(motion_states(ROBOT, motion_of(there, qvel)))
    b = disc_state(motion_states(ROBOT, motion_of(turned, forward)))
    assert a == pytest.approx(b, abs=1e-6)


def test_command_turns_first_and_walks_when_it_faces_the_target() -> None:
    steering = Steering(STILL, 4, 0.02, np.random.default_rng(0))
    steering.begin(np.arange(4), np.zeros(4))
    steering.direction[:] = [0.0, 0.2, np.pi / 2, -3.0]
    vx, vy, wz = steering.command(np.zeros(4)).T
    assert vx == pytest.approx([0.5, 0.5 * np.cos(0.2), 0.0, 0.0], abs=1e-9)
    assert wz == pytest.approx([0.0, 0.4, 0.8, -0.8])
    assert not vy.any()
    assert steering.heading_error(np.full(4, 3.1)) == pytest.approx(
        [-3.1, -2.9, np.pi / 2 - 3.1, 2 * np.pi - 6.1], abs=1e-9
    )


def test_reward_is_one_where_all_is_right_and_falls_with_each_error() -> None:
    env = make_env(3)
    steering = env.steering
    state = dataclasses.replace(env.state, velocity=np.array([[0.5, 0.0, 0.0], [0.3, 0.0, 0.0], [0.5, 0.0, 0.0]]))
    steering.direction[:] = state.yaw + [0.0, 0.0, 0.4]
    right, slow, askew = steering.reward(state)
    assert right == pytest.approx(1.0, abs=1e-3)
    assert slow < 0.9 and askew < 0.9
    speed, heading = steering.errors(state)
    assert speed[1] == pytest.approx(-0.2, abs=1e-3)
    assert heading[2] == pytest.approx(0.4)


def test_targets_change_within_their_interval_and_range() -> None:
    config = SteeringConfig(interval=(0.1, 0.2))
    steering = Steering(config, 200, 0.02, np.random.default_rng(0))
    steering.begin(np.arange(200), np.zeros(200))
    first = steering.speed.copy()
    ages = []
    for _ in range(11):
        steering.step()
        ages.append(steering.age.max())
        assert steering.speed.min() >= 0.2 and steering.speed.max() <= 1.0
    assert np.all(first != steering.speed)
    assert max(ages) < 0.2


def test_delay_holds_the_old_targets() -> None:
    action = np.full((2, 12), 0.4)
    on_time, late = make_env(2), make_env(2, Disturbances(delay=(0.02, 0.02)))
    for env in (on_time, late):
        env.step(action)
    assert np.abs(late.state.joints - late._home[late._places]).max() < 0.25 * 0.4
    moved = np.abs(on_time.state.joints - late.state.joints).max()
    assert moved > 0.01, "20 ms later is another motion"


def test_targets_move_no_faster_than_the_gate_lets_them() -> None:
    env = make_env(1)
    before = env._ctrl.copy()
    controls = env._controls(np.full((1, 12), 6.0))
    steps = np.diff(np.concatenate([before[None], controls]), axis=0)
    assert np.abs(steps).max() == pytest.approx(ROBOT.target_rate * ROBOT.physics_timestep)


def test_mass_reaches_the_simulation() -> None:
    heavy = make_env(2, Disturbances(mass=(3.0, 3.0)))
    light = make_env(2)
    for env in (heavy, light):
        for _ in range(15):
            env.step(np.zeros((2, 12)))
    assert heavy.state.position[:, 2].max() < light.state.position[:, 2].min() - 1e-3


def feet(env: SteeringEnv) -> np.ndarray:
    """Return the key positions in the world, (N, K, 3)."""
    state = env.state
    return state.position[:, None] + state.keys @ np.swapaxes(state.turn, 1, 2)


def test_friction_reaches_the_simulation() -> None:
    """Who is pushed on a slippery floor slides."""
    slid = []
    for friction in (0.05, 1.0):
        env = make_env(2, Disturbances(friction=(friction, friction)))
        for _ in range(10):
            env.step(np.zeros((2, 12)))
        before = feet(env)[0]
        env.stepper.push(np.full((2, 2), 0.4))
        for _ in range(10):
            env.step(np.zeros((2, 12)))
        slid.append(float(np.median(np.linalg.norm((feet(env)[0] - before)[:, :2], axis=1))))
    assert slid[0] > 3.0 * slid[1]


def test_pushes_move_the_robot() -> None:
    pushed = make_env(8, Disturbances(push_interval=0.02, push_velocity=0.5))
    pushed.step(np.zeros((8, 12)))
    assert np.abs(pushed.state.velocity[:, :2]).max() > 0.1


def test_a_fall_ends_the_episode() -> None:
    env = make_env(1)
    qpos = env.stepper.qpos[0].copy()
    qpos[3:7] = [0.0, 1.0, 0.0, 0.0]
    env.stepper.place(np.array([0]), qpos, np.zeros(env.stepper.qvel.shape[1]))
    step = env.step(np.zeros((1, 12)))
    assert step.terminated.all() and not step.timed_out.any()
    assert env.state.gravity[0, 2] < -0.9, "the next episode stands"


def test_reference_starts_are_frames_of_the_clips() -> None:
    model = robot_model(ROBOT)
    frames = np.tile(model.key("stand").qpos[:19], (5, 1))
    frames[:, 7:] += np.linspace(0.01, 0.05, 5)[:, None]
    qvel = np.zeros((5, 18))
    qvel[:, 6:] = 0.7
    env = make_env(6, motion=motion_of(frames, qvel), reference_start=1.0)
    distance = np.abs(env.state.joints[:, None] - frames[None, :, 7:]).max(axis=2).min(axis=1)
    assert distance == pytest.approx(np.zeros(6), abs=1e-9)
    assert env.state.speeds == pytest.approx(np.full((6, 12), 0.7))
    assert env.last_action == pytest.approx((env.state.joints - env._home[env._places]) / 0.25)


def test_reseeded_environments_are_the_same() -> None:
    a, b = make_env(3), make_env(3)
    a.step(np.ones((3, 12)))
    for env in (a, b):
        env.reseed((5, 7))
    assert np.array_equal(a.observation.critic, b.observation.critic)
    first, second = (env.step(np.full((3, 12), 0.3)) for env in (a, b))
    assert np.array_equal(first.transition, second.transition)


def test_clips_of_another_robot_or_rate_are_refused() -> None:
    home = np.tile(robot_model(ROBOT).key("stand").qpos[:19], (4, 1))
    other = Motion(("a", *LEG_JOINT_NAMES[1:]), home, np.zeros((4, 18)), (4,), ("clip",), 50.0)
    with pytest.raises(MotionError, match="no joint FL_hip_joint"):
        motion_states(ROBOT, other)
    with pytest.raises(MotionError, match="100 Hz, the robot is controlled at 50 Hz"):
        motion_states(ROBOT, dataclasses.replace(motion_of(home, np.zeros((4, 18))), rate=100.0))


def test_unknown_robots_and_missing_models_are_one_line() -> None:
    with pytest.raises(ConfigError, match="env_id 'Nobody' is unknown: choose one of Go2Piper.walk.mocap, Skeleton"):
        robot_config("Nobody")
    with pytest.raises(ConfigError, match="unknown"):
        robot_config("../robots/SkeletonTorque.walk.mocap")
    assert "SkeletonTorque.walk.mocap" in environments()
    skeleton = robot_config("SkeletonTorque.walk.mocap")
    with pytest.raises(ConfigError, match="not part of this project"):
        robot_model(dataclasses.replace(skeleton, model="/nowhere/skeleton.xml"))


def test_any_mjcf_with_motors_can_steer(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Another robot, driven by torques."""
    path = tmp_path / "hopper.xml"
    path.write_text("""
    <mujoco><worldbody><geom name="floor" type="plane" size="5 5 1"/>
      <body name="root" pos="0 0 0.6"><freejoint name="root"/><geom type="box" size=".2 .1 .05" mass="3"/>
        <body name="leg" pos="0 0 -.05"><joint name="hip" axis="0 1 0" range="-1 1"/>
          <geom type="capsule" fromto="0 0 0 0 0 -.3" size=".03" mass=".5"/><site name="foot" pos="0 0 -.3"/></body>
      </body></worldbody>
      <actuator><motor name="hip" joint="hip" ctrlrange="-4 4" ctrllimited="true"/></actuator></mujoco>""")
    robot = RobotConfig(str(path), joints=("hip",), key_sites=("foot",), key_bodies=("leg",), torque_control=True)
    stepper = make_stepper("mujoco", robot, 2, 1)
    env = SteeringEnv(robot, stepper, STILL, Disturbances(), EpisodeConfig(), None, seed=0)
    step = env.step(np.ones((2, 1)))
    assert step.transition.shape == (2, build_disc_obs_spec(robot).size) == (2, 2 * (10 + 2 + 6))
    assert np.abs(env.state.speeds).max() > 0.0
    broken = dataclasses.replace(robot, joints=("knee",))
    with pytest.raises(ConfigError, match="no joint knee"):
        robot_model(broken)
