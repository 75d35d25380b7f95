"""The emulated arm on its bus, in simulated time: rates, commands, answers and faults, frame by frame."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from go2_piper_description.joints import ARM_JOINTS
from go2_piper_driver.arm_types import ArmTargets
from go2_piper_driver.emulation.can.loopcan import Frame, LoopcanEnd, channel_folder
from go2_piper_driver.emulation.piper.emulated_piper import ArmMotion, EmulatedPiper, EmulatedPiperConfig
from go2_piper_driver.emulation.piper.faults import PiperFaults
from go2_piper_driver.emulation.piper.wire_faults import WireFaults
from go2_piper_driver.piper import frames
from go2_piper_driver.piper.wire import MitSetPoint, mdeg_to_rad, mit_to_frame, rad_to_mdeg
from hypothesis import given, settings
from hypothesis import strategies as st

STEP = 0.002
POSE = np.array([0.1, 0.5, -0.4, 0.2, -0.1, 0.3])
MOVE_J = bytes((1, 1, 50, 0, 0, 0, 0, 0))
MIT = bytes((1, 4, 100, 0xAD, 0, 0, 0, 0))
ENABLE_ALL = bytes((7, 2)) + bytes(6)


class Rig:
    """The arm, a host's end of the bus, and time in steps."""

    def __init__(self, channel: str, firmware: str = "S-V1.8-2") -> None:
        self.arm = EmulatedPiper(EmulatedPiperConfig(channel, firmware=firmware))
        self.host = LoopcanEnd(channel, local_loopback=False)
        self.now = 10.0
        self.motion = ArmMotion(POSE, np.full(6, 0.25), np.full(6, 2.0), 0.01, 5.0)
        self.targets: ArmTargets | None = None

    def run(self, seconds: float) -> list[Frame]:
        """Let time pass and return what the host heard."""
        heard: list[Frame] = []
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self.targets = self.arm.step(self.now, self.motion)
            while bundle := self.host.receive(0.0):
                heard += bundle
        return heard

    def send(self, *messages: Frame) -> None:
        self.host.send(messages)
        self.run(STEP)

    def joints(self, *angles: float) -> None:
        mdeg = [rad_to_mdeg(angle) for angle in angles]
        self.send(
            *((can_id, frames.pack_pair(*mdeg[2 * i : 2 * i + 2])) for i, can_id in enumerate(frames.JOINT_COMMAND))
        )

    def power(self) -> None:
        self.send((frames.MOTOR_ENABLE, ENABLE_ALL), (frames.MOTION_2, MOVE_J))

    def last(self, can_id: int, seconds: float = 0.05) -> bytes:
        """Return the newest payload of an id."""
        return [data for found, data in self.run(seconds) if found == can_id][-1]


def channel_name() -> str:
    return f"emu{os.getpid()}"


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig(channel_name())
    yield made
    made.arm.close()
    made.host.close()
    shutil.rmtree(channel_folder(channel_name()))


def test_every_frame_at_its_rate_3040_in_all(rig: Rig) -> None:
    rig.run(0.1)
    counts = Counter(can_id for can_id, _ in rig.run(2.0))
    fast = (frames.STATUS, *frames.END_POSE, *frames.JOINTS, frames.GRIPPER, *frames.MOTOR_FAST)
    assert set(counts) == {*fast, *frames.MOTOR_SLOW}
    assert all(abs(counts[can_id] / 2.0 - 200.0) < 1.5 for can_id in fast)
    assert all(abs(counts[can_id] / 2.0 - 40.0) < 1.5 for can_id in frames.MOTOR_SLOW)
    assert abs(sum(counts.values()) / 2.0 - 3040.0) < 20.0


def test_feedback_says_what_the_physics_says(rig: Rig) -> None:
    heard = dict(rig.run(0.06))
    mdeg = [value for can_id in frames.JOINTS for value in frames.unpack_pair(heard[can_id])]
    np.testing.assert_allclose([mdeg_to_rad(value) for value in mdeg], POSE, atol=1e-5)
    assert frames.unpack_motor_fast(heard[0x251]).speed_mrad_s == 250
    assert frames.unpack_motor_fast(heard[0x254]).current_ma == round(2000 / 0.95844)
    assert frames.unpack_gripper(heard[frames.GRIPPER]).stroke_um == 20_000
    x_um = frames.unpack_pair(heard[frames.END_POSE[0]])[0]
    assert 50_000 < x_um < 700_000


def test_it_powers_and_follows_at_the_commanded_speed(rig: Rig) -> None:
    rig.joints(0.5, 1.0, -1.0, 0.0, 0.0, 0.0)
    rig.run(0.1)
    assert rig.targets is not None and not rig.targets.kp.any(), "no power, no torque"
    rig.power()
    assert rig.arm.enabled and frames.unpack_status(rig.last(frames.STATUS)).ctrl_mode == frames.CAN_CONTROL
    rig.joints(*(POSE + 0.09))
    rig.joints(*(POSE + 0.3))
    rig.run(0.1)
    assert rig.targets is not None
    np.testing.assert_allclose(rig.targets.position - POSE, 0.1 * 0.5 * 3.0 + STEP * 1.5 * 2, atol=0.005)
    np.testing.assert_array_equal(rig.targets.kp, [joint.kp for joint in ARM_JOINTS])


def test_single_motors_are_powered_without_the_gripper(rig: Rig) -> None:
    rig.send(*((frames.MOTOR_ENABLE, bytes((motor, 2)) + bytes(6)) for motor in range(1, 7)))
    assert rig.arm.enabled
    status = frames.unpack_gripper(rig.last(frames.GRIPPER)).status
    assert not status & frames.GRIPPER_ENABLED and status & frames.GRIPPER_HOMED


def test_emergency_stop_damps_and_resume_cuts_the_power(rig: Rig) -> None:
    rig.power()
    rig.send((frames.MOTION_1, bytes((frames.ESTOP,)) + bytes(7)))
    assert frames.unpack_status(rig.last(frames.STATUS)).arm_status == 1
    assert rig.targets is not None and not rig.targets.kp.any() and rig.targets.kd.all() and rig.arm.enabled
    rig.send((frames.MOTION_1, bytes((frames.RESUME,)) + bytes(7)))
    assert not rig.arm.enabled and rig.arm.log.power_cuts == ["0x150 resume"]
    assert frames.unpack_status(rig.last(frames.STATUS)).ctrl_mode == frames.STANDBY
    assert rig.targets is not None and not rig.targets.kd.any()


def test_the_gripper(rig: Rig) -> None:
    command = frames.GripperCommand(30_000, 1000, 1)
    rig.send((frames.GRIPPER_COMMAND, frames.pack_gripper_command(command)))
    assert rig.targets is not None and rig.targets.gripper_position == pytest.approx(0.015)
    rig.arm.faults.gripper_not_homed = True
    rig.send((frames.GRIPPER_COMMAND, frames.pack_gripper_command(frames.GripperCommand(60_000, 1000, 1))))
    assert rig.targets.gripper_position == pytest.approx(0.015)
    assert not frames.unpack_gripper(rig.last(frames.GRIPPER)).status & frames.GRIPPER_HOMED


def test_mit_with_the_torque_that_this_firmware_makes_of_it(rig: Rig) -> None:
    rig.power()
    rig.send((frames.MOTION_2, MIT))
    point = MitSetPoint(0.4, 0.0, 10.0, 0.8, 1.0)
    rig.send(*((can_id, frames.pack_mit(mit_to_frame(point))) for can_id in frames.MIT_COMMAND[:5:4]))
    assert rig.targets is not None
    assert rig.targets.kp[0] == pytest.approx(40.0, abs=0.5) and rig.targets.kp[4] == pytest.approx(10.0, abs=0.15)
    assert rig.targets.effort[0] == pytest.approx(4.0, abs=0.3)
    assert rig.targets.kp[1] == ARM_JOINTS[1].kp, "motors without a set point hold"
    wrong = bytearray(frames.pack_mit(mit_to_frame(point)))
    wrong[7] ^= 1
    rig.send((frames.MIT_COMMAND[0], bytes(wrong)))
    assert any("does not read" in text for text in rig.arm.log.violations)


def test_answers_to_queries(rig: Rig) -> None:
    rig.host.send([(frames.FIRMWARE, bytes((1,)) + bytes(7)), (frames.LIMITS_QUERY, bytes((6, 1)) + bytes(6))])
    heard = rig.run(0.02)
    text = b"".join(data for can_id, data in heard if can_id == frames.FIRMWARE)
    assert text == b"H-V1.2-1S-V1.8-2"
    limits = next(frames.unpack_limits(data) for can_id, data in heard if can_id == frames.LIMITS_REPLY)
    assert (limits.motor, limits.max_ddeg, limits.min_ddeg, limits.max_speed_mrad_s) == (6, 1000, -1000, 3000)
    rig.host.send([(0x47A, bytes((1, 2, 3, 4, 5, 6, 0, 0))), (0x477, bytes((2,)) + bytes(7))])
    heard = rig.run(0.02)
    assert (0x476, bytes((0x7A, 0)) + bytes(6)) in heard and (0x47B, bytes((1, 2, 3, 4, 5, 6, 0, 0))) in heard


def test_commands_beyond_limits_are_noted(rig: Rig) -> None:
    rig.power()
    rig.joints(3.0, 0.5, -0.4, 0.2, -0.1, 0.3)
    assert any("piper_joint1: target 3.0000 rad beyond" in text for text in rig.arm.log.violations)
    assert any("first target 3.000" in text for text in rig.arm.log.violations)
    assert frames.unpack_status(rig.last(frames.STATUS)).arm_status in (0, 4)
    count = rig.arm.log.num_violations
    rig.joints(*POSE)
    rig.joints(*(POSE + 0.5))
    assert rig.arm.log.num_violations >= count + 6, "jumps"
    count = rig.arm.log.num_violations
    rig.send((frames.MOTION_2, bytes((1, 1, 101, 0)) + bytes(4)))
    rig.send((frames.GRIPPER_COMMAND, frames.pack_gripper_command(frames.GripperCommand(90_000, 0, 1))))
    rig.send((frames.JOINT_COMMAND[0], b"\x00"))
    assert rig.arm.log.num_violations == count + 3


def test_power_cuts_are_noted(rig: Rig) -> None:
    rig.power()
    rig.send((frames.MOTOR_ENABLE, bytes((3, 1)) + bytes(6)))
    assert rig.arm.log.power_cuts == ["0x471 disable motor 3"] and not rig.arm.enabled


def test_faults_of_the_arm(rig: Rig) -> None:
    rig.power()
    faults = rig.arm.faults
    for name, value in (
        ("motor_bits", {"2": 32}),
        ("disabled", [4]),
        ("errors", 3),
        ("arm_status", 7),
        ("bus_voltage", 18),
    ):
        faults.set(name, value)
    heard = dict(rig.run(0.06))
    assert frames.unpack_motor_slow(heard[0x262]).status == 32 | frames.MOTOR_ENABLED
    assert frames.unpack_motor_slow(heard[0x264]).status == 0
    assert frames.unpack_motor_slow(heard[0x261]).bus_dv == 180
    status = frames.unpack_status(heard[frames.STATUS])
    assert (status.arm_status, status.errors) == (7, 3)
    faults.clear()
    faults.unpowered = True
    heard = dict(rig.run(0.06))
    assert all(not any(data) for data in heard.values()) and frames.JOINTS[2] in heard
    assert not rig.arm.enabled


def test_faults_by_name() -> None:
    faults = PiperFaults()
    for name, value in (
        ("nosuch", 1),
        ("lost", "x"),
        ("silent", 1),
        ("lost", True),
        ("motor_bits", 3),
        ("disabled", 3),
    ):
        with pytest.raises(ValueError, match=f"fault {name}"):
            faults.set(name, value)
    faults.set("firmware", "S-V1.8-3")
    assert faults.firmware == "S-V1.8-3"
    faults.clear()
    assert faults == PiperFaults()


def cycle(number: int) -> list[Frame]:
    return [(frames.STATUS, bytes(8)), *((can_id, frames.pack_pair(number, number)) for can_id in frames.JOINTS)]


def test_wire_faults_do_what_they_say() -> None:
    faults = PiperFaults()
    wire = WireFaults(faults, seed=1)
    assert wire.pass_on(0.0, cycle(0)) == cycle(0)
    faults.lost = 1.0
    assert wire.pass_on(0.1, cycle(1)) == []
    faults.clear()
    faults.duplicated = 1.0
    assert len(wire.pass_on(0.2, cycle(2))) == 8
    faults.clear()
    faults.torn = 1.0
    assert all(wire.pass_on(0.3 + n, cycle(3 + n)) != cycle(3 + n) for n in range(20))
    faults.clear()
    faults.garbage = 1.0
    assert len(wire.pass_on(50.0, cycle(9))) == 9
    faults.clear()
    faults.silent = True
    assert wire.pass_on(51.0, cycle(9)) == []
    faults.clear()
    faults.late = 0.5
    out = [wire.pass_on(60.0 + 0.1 * n, cycle(100 + n) if n < 10 else []) for n in range(30)]
    joined = [frame for bundle in out for frame in bundle]
    assert joined == [frame for n in range(10) for frame in cycle(100 + n)], "late, but all and in order"
    assert out[0] == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 0x7FF), st.binary(max_size=8)), max_size=40))
def test_any_frame_is_taken(stream: list[Frame]) -> None:
    rig = Rig(channel_name() + "f")
    try:
        rig.power()
        rig.host.send(stream)
        rig.run(0.02)
        assert rig.targets is not None
        for values in (rig.targets.position, rig.targets.velocity, rig.targets.effort, rig.targets.kp, rig.targets.kd):
            assert np.all(np.isfinite(values))
    finally:
        rig.arm.close()
        rig.host.close()
        shutil.rmtree(channel_folder(channel_name() + "f"))
