"""The simulated robot, driven through the safety gate without ROS."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from go2_piper_description.joints import JOINT_NAMES, NUM_JOINTS, joint_array
from go2_piper_description.mjcf import build_mjcf
from robot_bridge.checks import tilt_of
from robot_bridge.gate import GateInputs, GateState, step
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Mode, Request
from robot_bridge.plant import PlantError, SteppedPlant
from robot_bridge.types import JointTargets, RobotState
from sim_bridge.mujoco_plant import PUSH_SPEED, MujocoOptions, MujocoPlant

STAND = joint_array("stand")
KP, KD = joint_array("kp"), joint_array("kd")


@dataclass
class World:
    """A plant behind a gate."""

    plant: MujocoPlant
    gate: GateState

    def run(self, seconds: float, *requests: Request) -> RobotState:
        """Let time pass; the requests come in the first step."""
        for _ in range(round(seconds / self.plant.step_period)):
            inputs = GateInputs(self.plant.time, self.plant.read(), requests=requests)
            self.gate, output = step(self.gate, inputs, GateParams())
            assert all(reply.accepted for reply in output.replies), output.replies
            requests = ()
            if output.targets is not None:
                self.plant.write(output.targets)
            self.plant.step()
        state = self.plant.read()
        assert state is not None and state.base is not None
        return state


def world(**options: object) -> World:
    plant = MujocoPlant(MujocoOptions(**options))  # type: ignore[arg-type]
    plant.start()
    return World(plant, GateState())


def height(state: RobotState) -> float:
    assert state.base is not None
    return float(state.base.position[2])


def bits(state: RobotState) -> bytes:
    assert state.base is not None
    return b"".join(np.asarray(value).tobytes() for value in [*vars(state).values(), *vars(state.base).values()]
                    if isinstance(value, np.ndarray))  # fmt: skip


def test_is_a_stepped_plant() -> None:
    assert isinstance(MujocoPlant(), SteppedPlant)


def test_lies_at_rest_after_start() -> None:
    state = world().run(0.5)
    assert height(state) < 0.15 and tilt_of(state.orientation) < 0.2
    assert np.abs(state.velocity).max() < 0.5
    np.testing.assert_allclose(state.position, joint_array("rest"), atol=0.6)  # loose legs slip apart


def test_stands_holds_and_sits_through_the_gate() -> None:
    it = world()
    it.run(0.1)
    it.run(3.5, Request.STAND)
    assert it.gate.mode is Mode.HOLD
    state = it.run(3.0)
    assert it.gate.mode is Mode.HOLD
    assert height(state) > 0.24 and tilt_of(state.orientation) < 0.1
    np.testing.assert_allclose(state.position, STAND, atol=0.25)
    state = it.run(4.5, Request.SIT)
    assert it.gate.mode is Mode.PASSIVE and height(state) < 0.15 and tilt_of(state.orientation) < 0.2


def test_stands_up_after_lying_loose_for_long() -> None:
    it = world()
    it.run(8.0)
    state = it.run(4.5, Request.STAND)
    assert it.gate.mode is Mode.HOLD and height(state) > 0.24 and tilt_of(state.orientation) < 0.1


def test_damping_lets_the_robot_down() -> None:
    it = world()
    it.run(0.1)
    it.run(3.5, Request.STAND)
    fastest = 0.0
    it.run(0.005, Request.DAMP)
    for _ in range(40):
        state = it.run(0.05)
        assert state.base is not None
        fastest = max(fastest, -float(state.base.linear_velocity[2]))
    assert it.gate.mode is Mode.DAMPING and height(state) < 0.15
    assert fastest < 1.0  # a free fall from 0.28 m ends at 1.9 m/s


def test_the_same_seed_gives_the_same_bits() -> None:
    def end(**options: object) -> bytes:
        it = world(sensor_noise=1.0, push_interval=0.5, push_start=0.2, command_delay=0.01, **options)
        it.run(0.1)
        return bits(it.run(1.0, Request.STAND))

    assert end(seed=3) == end(seed=3)
    assert end(seed=3) != end(seed=4)


def test_start_begins_anew() -> None:
    it = world()
    first = bits(it.run(0.3))
    it.plant.start()
    it.gate = GateState()
    assert it.plant.time == 0.0
    assert bits(it.run(0.3)) == first


def test_torque_is_what_the_targets_ask_for() -> None:
    plant = world().plant
    feed = np.zeros(NUM_JOINTS)
    feed[12] = 1.5
    before = plant.read()
    assert before is not None
    position = before.position + 0.02
    plant.write(JointTargets(position, effort=feed, kp=KP, kd=KD))
    plant.step()
    after = plant.read()
    assert after is not None
    # forces of MuJoCo are those at the begin of the step
    expected = KP * (position - before.position) - KD * before.velocity + feed
    np.testing.assert_allclose(after.effort, expected, atol=1e-9)


def test_torque_is_limited_to_the_effort_of_the_joint() -> None:
    plant = world().plant
    plant.write(JointTargets(np.full(NUM_JOINTS, 100.0), kp=KP, kd=KD))
    plant.step()
    state = plant.read()
    assert state is not None
    np.testing.assert_allclose(state.effort, joint_array("effort"))


def test_the_imu_of_a_lying_robot_feels_gravity() -> None:
    state = world().run(2.0)
    assert np.linalg.norm(state.linear_acceleration) == pytest.approx(9.81, abs=0.3)
    assert state.linear_acceleration[2] > 9.0
    assert np.abs(state.angular_velocity).max() < 0.2


@pytest.mark.parametrize(("delay", "steps"), [(0.0, 0), (0.005, 1), (0.02, 4), (0.012, 3)])
def test_commands_take_effect_after_the_delay(delay: float, steps: int) -> None:
    plant = world(command_delay=delay).plant
    plant.write(JointTargets(np.zeros(NUM_JOINTS), effort=np.full(NUM_JOINTS, 3.0)))
    for _ in range(steps):
        plant.step()
        assert plant.read().effort[0] != 3.0  # type: ignore[union-attr]
    plant.step()
    assert plant.read().effort[0] == 3.0  # type: ignore[union-attr]


def test_a_push_that_somebody_asks_for_kicks_the_base_once() -> None:
    plant = world().plant
    before = np.array(plant.data.qvel)
    told = plant.push()
    kick = plant.data.qvel - before
    assert np.linalg.norm(kick[plant.robot.base_qvel :][:2]) == pytest.approx(PUSH_SPEED)
    assert np.count_nonzero(kick) == 2 and f"{kick[plant.robot.base_qvel]:.2f}" in told
    plant.step()
    state = plant.read()
    assert state is not None and state.base is not None
    assert np.linalg.norm(state.base.linear_velocity) > 0.1


def test_pushes_come_at_their_interval() -> None:
    plant = world(push_interval=0.1, push_start=0.2, push_velocity=2.0).plant
    plant.write(JointTargets(joint_array("rest"), kp=KP, kd=KD))
    kicked = []
    for _ in range(100):
        before = plant.read().base.linear_velocity  # type: ignore[union-attr]
        plant.step()
        if np.linalg.norm(plant.read().base.linear_velocity - before) > 0.3:  # type: ignore[union-attr]
            kicked.append(round(plant.time - plant.step_period, 3))
    assert kicked == [0.2, 0.3, 0.4]


def test_noise_scales() -> None:
    quiet, noisy = (world(sensor_noise=scale).plant.read() for scale in (0.0, 2.0))
    assert quiet is not None and noisy is not None and noisy.base is not None and quiet.base is not None
    error = np.abs(noisy.position - quiet.position)
    assert 0.0 < error.max() <= 0.02
    assert np.linalg.norm(noisy.orientation) == pytest.approx(1.0)
    assert 0.0 < tilt_of(noisy.orientation) < 0.2
    np.testing.assert_array_equal(noisy.base.position, quiet.base.position)  # the truth stays true


def test_gripper_follows() -> None:
    plant = world().plant
    plant.write(JointTargets(joint_array("rest"), kp=KP, kd=KD, gripper_position=0.03))
    for _ in range(100):
        plant.step()
    assert plant.read().gripper_position == pytest.approx(0.03, abs=0.003)  # type: ignore[union-attr]


# -- other models ------------------------------------------------------------------------------------------------


def other_model(folder: Path, *, without: str = "", keyframes: bool = False) -> str:
    """Write the robot with its legs and actuators in another order, and without one joint or actuator."""
    root = ET.fromstring(build_mjcf())
    base = root.find("worldbody/body")
    assert base is not None
    legs = [body for body in base.findall("body") if body.get("name", "").endswith("_hip")]
    arm = [body for body in base.findall("body") if body not in legs]
    for body in (*legs, *arm):
        base.remove(body)
    base.extend([*arm, *reversed(legs)])
    actuators = root.find("actuator")
    assert actuators is not None
    ordered = list(actuators)[::-1]
    for element in ordered:
        actuators.remove(element)
    for index, element in enumerate(ordered):
        element.set("name", f"motor{index}")
        if element.get("joint") != without:
            actuators.append(element)
    for element in root.findall("keyframe") if not keyframes else []:
        root.remove(element)
    path = folder / "other.xml"
    path.write_text(ET.tostring(root, encoding="unicode"))
    return str(path)


def test_a_model_with_joints_in_another_order_behaves_the_same(tmp_path: Path) -> None:
    other = world(plant_model=other_model(tmp_path))
    names = [other.plant.model.joint(index).name for index in range(other.plant.model.njnt)]
    assert [name for name in names if name in JOINT_NAMES] != list(JOINT_NAMES)
    own = world()
    for it in (own, other):
        it.run(0.1)
        it.run(3.5, Request.STAND)
    a, b = own.run(0.5), other.run(0.5)
    assert own.gate.mode is other.gate.mode is Mode.HOLD
    np.testing.assert_allclose(a.position, b.position, atol=0.02)
    assert height(a) == pytest.approx(height(b), abs=0.01)


def broken_models(folder: Path) -> dict[str, tuple[str, str]]:
    def write(name: str, text: str) -> str:
        (folder / name).write_text(text)
        return str(folder / name)

    text = build_mjcf()
    return {
        "no file": ("/no/such.xml", "no such file"),
        "a folder": (str(folder), "no such file"),
        "not XML": (write("broken.xml", "<mujoco"), "cannot load"),
        "empty": (write("empty.xml", ""), "cannot load"),
        "joint missing": (write("joint.xml", re.sub("piper_joint3", "elbow", text)), "piper_joint3"),
        "actuator missing": (other_model(folder, without="RL_calf_joint"), "RL_calf_joint has 0 actuators"),
        "no robot": (write("none.xml", "<mujoco><worldbody/></mujoco>"), "18 of 18 joints are missing"),
    }


@pytest.mark.parametrize(
    "problem", ["no file", "a folder", "not XML", "empty", "joint missing", "actuator missing", "no robot"]
)
def test_broken_models_are_told_in_one_line(tmp_path: Path, problem: str) -> None:
    path, text = broken_models(tmp_path)[problem]
    with pytest.raises(PlantError) as caught:
        MujocoPlant(MujocoOptions(plant_model=path))
    assert path in str(caught.value) and text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["command_delay", "sensor_noise", "push_interval", "push_velocity"])
def test_options_that_cannot_be(name: str) -> None:
    for value in (-1.0, float("nan")):
        with pytest.raises(PlantError, match=f"plant_options.{name}"):
            MujocoOptions(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1e12, float("nan")])
def test_an_exploding_simulation_is_told(value: float) -> None:
    plant = world().plant
    plant.data.qvel[:] = value
    with pytest.raises(PlantError, match="unstable"):
        for _ in range(10):
            plant.step()
