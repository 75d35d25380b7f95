"""Key positions against MuJoCo's own kinematics."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from training.amp.features import rotation
from training.amp.key_points import KeyPoints
from training.amp.robot import RobotConfig, robot_config, robot_model
from training.structured import ConfigError

TREE = """
<mujoco><compiler angle="radian"/><worldbody><geom name="floor" type="plane" size="5 5 1"/><site name="lamp"/>
  <body name="root" pos="0 0 1" quat="1 .2 -.1 .3"><freejoint name="root"/><geom size=".1"/>
    <site name="chest" pos=".1 0 .2"/>
    <body name="fixed" pos=".1 .2 .3" quat="1 .5 .2 0">
      <body name="thigh" pos="0 .1 -.1" euler=".3 .2 .1"><geom size=".05"/>
        <joint name="a" axis="0 0 1" pos=".02 0 .01"/><joint name="b" axis="1 2 0" pos="0 .03 0" ref=".4"/>
        <joint name="s" type="slide" axis="0 1 1" ref="-.1"/>
        <body name="shin" pos="0 0 -.4"><joint name="c" axis="0 1 0"/><geom size=".05"/>
          <site name="foot" pos="0 .02 -.3"/></body>
      </body>
      <body name="arm" pos="-.1 0 .2"><joint name="stays" axis="1 0 0"/><geom size=".05"/>
        <site name="hand" pos=".3 .1 0"/></body>
    </body>
    <body name="neck" pos="0 0 .3"><joint name="ball" type="ball"/><geom size=".05"/></body>
  </body></worldbody>
  <actuator><motor joint="c"/><motor joint="a"/><motor joint="b"/><motor joint="s"/></actuator>
  <keyframe><key name="home" qpos="0 0 1 1 0 0 0 .1 .2 .3 .4 .7 1 0 0 0"/></keyframe></mujoco>"""


def tree(tmp_path: Path, **changes: object) -> RobotConfig:
    path = tmp_path / "tree.xml"
    path.write_text(TREE)
    fields: dict[str, object] = {"joints": ("c", "a", "b", "s"), "key_sites": ("foot", "hand", "chest")}
    fields |= {"key_bodies": ("shin", "fixed", "root"), "keyframe": "home", **changes}
    return RobotConfig(str(path), **fields)  # type: ignore[arg-type]


def by_mujoco(robot: RobotConfig, joints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the key positions about the root of a robot somewhere, from `mj_kinematics`."""
    model = robot_model(robot)
    data = mujoco.MjData(model)
    data.qpos[:] = model.key(robot.keyframe).qpos
    data.qpos[[model.joint(name).qposadr[0] for name in robot.joints]] = joints
    data.qpos[:7] = rng.normal(size=7)
    data.qpos[3:7] /= np.linalg.norm(data.qpos[3:7])
    mujoco.mj_kinematics(model, data)
    world = [data.site(name).xpos for name in robot.key_sites] + [data.body(name).xpos for name in robot.key_bodies]
    return (np.stack(world) - data.qpos[:3]) @ rotation(data.qpos[3:7])


def check(robot: RobotConfig) -> None:
    rng = np.random.default_rng(0)
    joints = rng.normal(0.0, 0.8, (6, len(robot.joints)))
    expected = np.stack([by_mujoco(robot, row, rng) for row in joints])
    assert KeyPoints(robot)(joints) == pytest.approx(expected, abs=1e-12)


def test_feet_of_the_robot() -> None:
    check(robot_config("Go2Piper.walk.mocap"))


def test_several_joints_per_body_slides_anchors_and_joints_that_stay(tmp_path: Path) -> None:
    check(tree(tmp_path))


def test_keys_that_cannot_be_known_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="joint ball is neither hinge nor slide"):
        KeyPoints(tree(tmp_path, key_bodies=("neck",)))
    with pytest.raises(ConfigError, match="does not move with its root"):
        KeyPoints(tree(tmp_path, key_sites=("lamp",)))
