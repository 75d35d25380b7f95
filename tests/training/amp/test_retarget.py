"""Retargeting: own clips unchanged, quadrupeds, a human body to a skeleton, inverse kinematics, bad mappings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
import yaml
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEG_JOINT_NAMES, joint_array
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tests.training.amp.motion_files import skeleton_xml, write_amass, write_loco_mujoco
from training.amp import retarget_expert_dataset, robot
from training.amp.data import check_report
from training.amp.data.gait_clips import gait_clip
from training.amp.data.inverse import follow_points
from training.amp.data.kinematics import RobotKinematics
from training.amp.data.retarget import Retargeter
from training.amp.data.retarget_config import FOLDER, JointMap, RetargetConfig, RootMap, load_retarget_config
from training.amp.data.source import SourceClip, read_clips
from training.amp.motion import MotionError, join, load_motion, save_motion
from training.amp.robot import robot_config
from training.structured import ConfigError

Array = NDArray[np.float64]
GO2 = "Go2Piper.walk.mocap"


def _source(tmp_path: Path, vx: float = 0.6, wz: float = 0.3, seconds: float = 2.0) -> SourceClip:
    save_motion(tmp_path / "source.npz", gait_clip(vx, wz, seconds, "trot"))
    return read_clips(tmp_path / "source.npz")[0]


def test_own_clips_come_out_as_they_went_in(tmp_path: Path) -> None:
    clip = gait_clip(0.6, 0.3, 2.0, "trot")
    motion = Retargeter(load_retarget_config("go2_piper_own"))(_source(tmp_path))
    assert motion.joints == JOINT_NAMES and motion.names == ("trot",) and motion.rate == 50.0
    assert np.allclose(motion.qpos, clip.qpos) and np.allclose(motion.qvel, clip.qvel)


def test_a_quadruped_at_another_rate_from_a_loco_mujoco_file(tmp_path: Path) -> None:
    # the same trot, in a file of the other format: 200 Hz, legs in another order, hovering 30 cm above the floor
    slow, count = gait_clip(0.6, 0.3, 2.0, "trot"), 397
    times = np.arange(count) / 200.0
    order = [*LEG_JOINT_NAMES[6:], *LEG_JOINT_NAMES[:6]]
    legs = [JOINT_NAMES.index(name) for name in order]
    yaw = 0.3 * times
    way = np.stack([np.interp(times, np.arange(100) / 50.0, slow.qpos[:, i]) for i in range(3)], axis=1)
    quaternion = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=1)
    angles = np.stack([np.interp(times, np.arange(100) / 50.0, slow.qpos[:, 7 + leg]) for leg in legs], axis=1)
    qpos = np.hstack([way + [0.0, 0.0, 0.3], quaternion, angles])
    write_loco_mujoco(tmp_path / "a1.npz", order, qpos, np.zeros((count, 18)), 200.0)
    motion = Retargeter(load_retarget_config("go2_piper_loco_quadruped"))(read_clips(tmp_path / "a1.npz")[0])
    assert motion.lengths == (100,)
    assert np.abs(motion.qpos[:, :2] - slow.qpos[:, :2]).max() < 5e-3
    assert np.abs(motion.qpos[:, 2] - slow.qpos[:, 2]).max() < 5e-3  # stands on the floor again
    assert np.sqrt(np.mean((motion.qpos[:, 7:19] - slow.qpos[:, 7:19]) ** 2)) < 0.03
    assert np.array_equal(motion.qpos[:, 7:][:, ARM_SLICE], np.tile(joint_array("stand")[ARM_SLICE], (100, 1)))
    assert np.allclose(motion.qvel[5:-5, 5], 0.3, atol=1e-3)
    speed = np.linalg.norm(motion.qvel[5:-5, :2], axis=1)
    assert np.allclose(speed, 0.6, atol=0.02)


def test_sign_scale_offset_hold_and_the_root(tmp_path: Path) -> None:
    clip = _source(tmp_path)
    name, held = "FL_thigh_joint", "piper_joint1"
    config = RetargetConfig(
        GO2,
        same_names=True,
        joints={name: JointMap("FR_thigh_joint", sign=-1.0, scale=0.5, offset=1.6)},
        hold={held: 0.25},
        root=RootMap(scale=2.0, height=0.1),
        ground=False,
        velocities="source",
    )
    motion = Retargeter(config)(clip)
    at = 7 + JOINT_NAMES.index(name)
    assert np.allclose(motion.qpos[:, at], 1.6 - 0.5 * clip.joints["FR_thigh_joint"])
    assert np.allclose(motion.qvel[:, at - 1], -0.5 * clip.speeds["FR_thigh_joint"])
    assert np.all(motion.qpos[:, 7 + JOINT_NAMES.index(held)] == 0.25)
    assert np.allclose(motion.qpos[:, :2], 2.0 * clip.position[:, :2])
    assert np.allclose(motion.qpos[:, 2], 2.0 * clip.position[:, 2] + 0.1)
    assert clip.velocity is not None and np.allclose(motion.qvel[:, :3], 2.0 * clip.velocity[:, :3])
    # the same out of the positions, and smoothed
    smooth = Retargeter(replace(config, velocities="differences", low_pass=6.0))(clip)
    assert np.allclose(smooth.qvel[3:-3, :2], motion.qvel[3:-3, :2], atol=0.02)
    assert np.abs(smooth.qvel[:, 6:18]).max() < np.abs(motion.qvel[:, 6:18]).max()


def test_joints_are_kept_within_their_limits(tmp_path: Path) -> None:
    clip = _source(tmp_path)
    config = RetargetConfig(GO2, same_names=True, joints={"FL_calf_joint": JointMap("FL_calf_joint", offset=2.0)})
    column = 7 + JOINT_NAMES.index("FL_calf_joint")
    limit = joint_array("upper")[column - 7]
    motion = Retargeter(config)(clip)
    assert motion.qpos[:, column].max() == pytest.approx(limit)
    assert motion.qvel[motion.qpos[:, column] == limit, column - 1][1:-1] == pytest.approx(0.0, abs=15.0)
    free = Retargeter(replace(config, clip_to_limits=False))(clip)
    assert free.qpos[:, column].max() > limit + 0.5


def test_another_frame_of_the_root(tmp_path: Path) -> None:
    clip = _source(tmp_path)
    config = RetargetConfig(
        GO2, same_names=True, root=RootMap(axes=("z", "y", "-x")), ground=False, velocities="source"
    )
    motion = Retargeter(config)(clip)
    turns, before = Rotation.from_quat(motion.qpos[:, [4, 5, 6, 3]]), Rotation.from_quat(clip.rotation)
    assert np.allclose(turns.apply([1.0, 0.0, 0.0]), before.apply([0.0, 0.0, 1.0]))
    assert np.allclose(turns.apply([0.0, 0.0, 1.0]), before.apply([-1.0, 0.0, 0.0]))
    assert clip.velocity is not None
    assert np.allclose(turns.apply(motion.qvel[:, 3:6]), before.apply(clip.velocity[:, 3:]))


# -- a human body to a skeleton ----------------------------------------------------------------------------------------


@pytest.fixture
def skeleton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RobotKinematics:
    """The shipped robot file of the skeleton, with a model of the tests."""
    name = "SkeletonTorque.walk.mocap"
    shipped = yaml.safe_load((robot._FILES / f"{name}.yaml").read_text())
    (tmp_path / "skeleton.xml").write_text(skeleton_xml())
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(shipped | {"model": str(tmp_path / "skeleton.xml")}))
    monkeypatch.setattr(robot, "_FILES", tmp_path)
    return RobotKinematics(robot_config(name))


# body model: x to its left, y up, z ahead
_DOWN, _LEFT, _AHEAD = np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


def _direction(kinematics: RobotKinematics, start: str, end: str) -> Array:
    data: mujoco.MjData = kinematics.data
    way = data.body(end).xpos - data.body(start).xpos
    return way / np.linalg.norm(way)


def test_limbs_of_the_skeleton_point_where_those_of_the_body_do(tmp_path: Path, skeleton: RobotKinematics) -> None:
    rng = np.random.default_rng(3)
    count = 60
    # slow random turns; arms come down from the T by about the body's z axis, as those of walking people do
    phase = np.linspace(0.0, 2.0 * np.pi, count)[:, None]
    names = ("left_hip", "right_hip", "spine1", "spine2", "left_collar", "left_shoulder", "right_shoulder")
    turns = {name: 0.25 * np.sin(phase + rng.uniform(0, 6, 3)) * rng.uniform(0.5, 1.0, 3) for name in names}
    bend = 0.6 + 0.3 * np.sin(phase)
    turns["left_knee"] = turns["right_knee"] = bend * _LEFT  # shanks go back
    turns["left_elbow"], turns["right_elbow"] = bend * [0.0, -1.0, 0.0], bend * [0.0, 1.0, 0.0]  # hands go ahead
    lowered = {"left_shoulder": -1.2 * _AHEAD, "right_shoulder": 1.2 * _AHEAD}
    for name, vector in lowered.items():
        turns[name] = (Rotation.from_rotvec(turns[name]) * Rotation.from_rotvec(vector)).as_rotvec()
    upright = Rotation.from_matrix(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))  # looks along x
    root = Rotation.from_euler("z", 0.4) * upright * Rotation.from_rotvec(0.1 * np.sin(phase) * _LEFT)
    turns["pelvis"] = root.as_rotvec()
    write_amass(tmp_path / "walk.npz", turns, phase * [0.2, 0.1, 0.0] + [0.0, 0.0, 0.4], 100.0)

    config = replace(load_retarget_config("skeleton_smplh"), low_pass=0.0)
    motion = Retargeter(config)(read_clips(tmp_path / "walk.npz")[0])
    part = {name: Rotation.from_rotvec(vectors) for name, vectors in turns.items()}
    chest = root * part["spine1"] * part["spine2"]
    left_arm = chest * part["left_collar"] * part["left_shoulder"]
    right_arm = chest * part["right_shoulder"]
    wanted = {
        ("femur_l", "tibia_l"): (root * part["left_hip"]).apply(_DOWN),
        ("femur_r", "tibia_r"): (root * part["right_hip"]).apply(_DOWN),
        ("tibia_l", "talus_l"): (root * part["left_hip"] * part["left_knee"]).apply(_DOWN),
        ("tibia_r", "talus_r"): (root * part["right_hip"] * part["right_knee"]).apply(_DOWN),
        ("humerus_l", "ulna_l"): left_arm.apply(_LEFT),
        ("humerus_r", "ulna_r"): right_arm.apply(-_LEFT),
        ("radius_l", "hand_l"): (left_arm * part["left_elbow"]).apply(_LEFT),
        ("radius_r", "hand_r"): (right_arm * part["right_elbow"]).apply(-_LEFT),
    }
    for frame in range(0, count, 7):
        skeleton.pose(motion.qpos[frame])
        for (start, end), directions in wanted.items():
            angle = np.arccos(np.clip(_direction(skeleton, start, end) @ directions[frame], -1.0, 1.0))
            assert angle < 0.01, (start, end, frame, angle)
    lowest = skeleton.traces(motion)[2]
    assert np.percentile(lowest, 5.0) == pytest.approx(0.0, abs=1e-9)
    assert np.abs(motion.qvel).max() < 20.0  # nothing jumps by a turn


def test_the_skeletons_own_model_is_missing_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_amass(tmp_path / "walk.npz", {}, np.zeros((5, 3)), 100.0)
    status = retarget_expert_dataset.main(["--dataset", str(tmp_path / "walk.npz"), "--config", "skeleton_smplh"])
    error = capsys.readouterr().err
    assert status == 2 and error.count("\n") == 1 and "is missing" in error


# -- inverse kinematics ------------------------------------------------------------------------------------------------


def test_feet_are_brought_back_to_where_they_were() -> None:
    kinematics = RobotKinematics(robot_config(GO2))
    clip = gait_clip(0.6, 0.3, 0.4, "trot")
    points = kinematics.traces(clip)[0]
    rng = np.random.default_rng(0)
    start = clip.qpos.copy()
    start[:, 7:19] += rng.uniform(-0.15, 0.15, (len(start), 12))
    solved = follow_points(kinematics, start, {name: points[:, i] for i, name in enumerate(kinematics.keys)})
    again = kinematics.traces(replace(clip, qpos=solved))[0]
    assert np.abs(again - points).max() < 1e-3
    assert np.allclose(solved[:, 7:19], clip.qpos[:, 7:19], atol=0.01)  # three joints per leg: one solution
    assert np.array_equal(solved[:, :7], start[:, :7]) and np.array_equal(solved[:, 19:], start[:, 19:])


def test_out_of_reach_stretches_the_leg_within_its_limits() -> None:
    kinematics = RobotKinematics(robot_config(GO2))
    clip = gait_clip(0.0, 0.0, 0.1, "stand")
    points = kinematics.traces(clip)[0]
    solved = follow_points(kinematics, clip.qpos, {"FL_foot": points[:, 0] + [0.0, 0.0, -1.0]})
    assert np.all(solved[:, 7:] <= kinematics.upper + 1e-9) and np.all(solved[:, 7:] >= kinematics.lower - 1e-9)
    assert solved[0, 9] == pytest.approx(kinematics.upper[2], abs=0.05)  # as straight as the knee gets


def test_key_bodies_of_a_loco_mujoco_file(tmp_path: Path) -> None:
    kinematics = RobotKinematics(robot_config(GO2))
    clip = gait_clip(0.5, 0.0, 0.5, "trot")
    points = kinematics.traces(clip)[0]
    wrong = clip.qpos.copy()
    wrong[:, 7:19] += 0.1  # joints of a robot with other proportions
    sites = {"site_names": np.array(kinematics.keys), "site_xpos": points}
    write_loco_mujoco(tmp_path / "q.npz", JOINT_NAMES, wrong, clip.qvel, 50.0, **sites)
    config = replace(load_retarget_config("go2_piper_feet"), low_pass=0.0)
    motion = Retargeter(config)(read_clips(tmp_path / "q.npz")[0])
    assert np.allclose(motion.qpos[:, 7:19], clip.qpos[:, 7:19], atol=0.01)
    without = read_clips(tmp_path / "q.npz")[0]
    with pytest.raises(MotionError, match="clip 'q': it has no body or site 'FL_foot'; it has none"):
        Retargeter(config)(replace(without, points={}))


# -- what cannot be mapped ---------------------------------------------------------------------------------------------


def test_all_shipped_mappings_are_valid() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {
        "go2_piper_own",
        "go2_piper_loco_quadruped",
        "go2_piper_feet",
        "skeleton_smplh",
    }
    for path in FOLDER.glob("*.yaml"):
        assert load_retarget_config(path.stem) == load_retarget_config(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("robot: Go2Piper.walk.mocap\nrates: 3", "unknown setting rates"),
        ("rate: 50", "robot missing"),
        ("robot: [", "is no YAML"),
        ("robot: Go2Piper.walk.mocap\nothers: guess", "others must be one of"),
        ("robot: x\njoints: {a: {source: b, sign: 2}}", "joints.a: sign must be 1 or -1"),
        ("robot: x\njoints: {a: {source: b}}\nhold: {a: 0}", "a: mapped more than once"),
        ("robot: x\nroot: {axes: [x, y, y]}", "no right-handed frame"),
        ("robot: x\nroot: {axes: [y, x, z]}", "no right-handed frame"),
        ("robot: x\nroot: {scale: 0}", "scale must be above 0"),
        ("robot: x\nvelocities: source\nlow_pass: 5", "use differences"),
        ("robot: x\nturns: [{joints: [a, b], axes: XY, sources: [c]}]", "one or three joints"),
        ("robot: x\nturns: [{joints: [a, b, c], axes: XXY, sources: [d]}]", "same axis"),
        ("robot: x\nturns: [{joints: [a], axes: X, sources: [d], signs: [0]}]", "signs must be 1 or -1"),
    ],
)
def test_bad_mappings_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_retarget_config(str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_mapping_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="config nothing: No such file.*go2_piper_own"):
        load_retarget_config("nothing")


def test_mappings_name_parts_of_the_robot() -> None:
    with pytest.raises(ConfigError, match="has no joint tail"):
        Retargeter(RetargetConfig(GO2, hold={"tail": 0.0}))
    with pytest.raises(ConfigError, match="env_id 'Unknown' is unknown"):
        Retargeter(RetargetConfig("Unknown"))


def test_clips_without_what_a_mapping_wants(tmp_path: Path) -> None:
    clip = _source(tmp_path)
    some = replace(clip, joints={name: clip.joints[name] for name in LEG_JOINT_NAMES})
    with pytest.raises(MotionError, match="clip 'trot': nothing for the robot's piper_joint1.*hold them"):
        Retargeter(RetargetConfig(GO2, same_names=True))(some)
    with pytest.raises(MotionError, match="clip 'trot': it has no joint 'tail'"):
        Retargeter(RetargetConfig(GO2, same_names=True, joints={"FL_hip_joint": JointMap("tail")}))(clip)
    with pytest.raises(MotionError, match="clip 'trot': it has no velocities to keep"):
        Retargeter(load_retarget_config("go2_piper_own"))(replace(clip, velocity=None))
    with pytest.raises(MotionError, match="clip 'trot': low_pass 30 Hz needs clips of more than 60 Hz"):
        Retargeter(RetargetConfig(GO2, same_names=True, low_pass=30.0))(clip)


def test_the_command_joins_a_folder_into_one_motion_and_checks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_report, "DRAWN", 0)  # pictures take a second each
    folder = tmp_path / "clips"
    folder.mkdir()
    clips = [gait_clip(vx, 0.0, 0.6, f"trot_{vx}") for vx in (0.3, 0.6)]
    for clip in clips:
        save_motion(folder / f"{clip.names[0]}.npz", clip)
    out = tmp_path / "new" / "traj.npz"
    assert retarget_expert_dataset.main(["--dataset", str(folder), "--out", str(out)]) == 0
    wanted, got = join(clips), load_motion(out)
    assert got.names == wanted.names and np.allclose(got.qpos, wanted.qpos) and np.allclose(got.qvel, wanted.qvel)
    assert (out.parent / "traj_checks" / "report.json").is_file()
    assert "2 of 2 clips pass" in capsys.readouterr().out
    assert retarget_expert_dataset.main(["--dataset", str(tmp_path / "none"), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "no such file or folder" in error
