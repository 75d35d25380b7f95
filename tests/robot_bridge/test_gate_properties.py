"""What holds for the gate whatever robot, controller and operator do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from go2_piper_description.joints import GRIPPER, JOINT_NAMES, joint_array
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from robot_bridge.checks import body_fault, untrusted
from robot_bridge.gate import GateInputs, GateOutput, GateState, step
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Mode, Request
from robot_bridge.types import JointCommand, JointTargets, RobotState

from .gate_driver import Driver, make_command, make_state

LOWER, UPPER = joint_array("lower"), joint_array("upper")
KP, KD, EFFORT = joint_array("kp"), joint_array("kd"), joint_array("effort")
PARAMS = GateParams()

wild = st.one_of(st.floats(-4.0, 4.0), st.floats(allow_nan=True, allow_infinity=True, width=64))
seeds = st.integers(0, 2**32 - 1)


def same_targets(a: JointTargets | None, b: JointTargets | None) -> bool:
    if a is None or b is None:
        return a is b
    return all(np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True))


class AnyWorld(RuleBasedStateMachine):
    """A robot, a controller and an operator that do anything at all."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = GateState()
        self.output: GateOutput | None = None
        self.now = 0.0
        self.robot: RobotState | None = None
        self.seen: RobotState | None = None
        """The robot as the last step saw it."""
        self.command: JointCommand | None = None
        self.publishers = 1
        self.gripper: float | None = None
        self.previous = Mode.DISCONNECTED
        self.asked: tuple[Request, ...] = ()
        self.was_good = False

    @initialize(mode=st.sampled_from(["start", "hold", "active"]))
    def begin(self, mode: str) -> None:
        driver = Driver()
        if mode == "start":
            return
        driver = driver.hold() if mode == "hold" else driver.active()
        self.gate, self.now, self.command = driver.gate, driver.now, driver.command
        self.previous = self.gate.mode
        self.robot = make_state(self.now, driver.position)

    def take(self, period: float, *requests: Request) -> None:
        self.now += period
        inputs = GateInputs(self.now, self.robot, self.command, self.publishers, self.gripper, requests)
        self.previous, self.asked, self.seen = self.gate.mode, requests, self.robot
        self.gate, self.output = step(before := self.gate, inputs, PARAMS)
        again, output = step(before, inputs, PARAMS)
        assert output.mode is self.output.mode and output.events == self.output.events
        assert again.mode is self.gate.mode and same_targets(output.targets, self.output.targets)

    @rule(period=st.floats(0.0, 0.3), request=st.one_of(st.none(), st.sampled_from(Request)))
    def tick(self, period: float, request: Request | None) -> None:
        self.take(period, *(() if request is None else (request,)))

    @rule(count=st.integers(1, 20), request=st.one_of(st.none(), st.sampled_from(Request)))
    def follow(self, count: int, request: Request | None) -> None:
        """A robot that behaves, under a controller that commands where it is."""
        for index in range(count):
            targets = self.output.targets if self.output is not None else None
            position = joint_array("rest") if self.robot is None else self.robot.position
            if targets is not None:
                position = np.where(targets.kp > 0.0, targets.position, position)
            position = np.clip(np.nan_to_num(position), LOWER, UPPER)
            self.robot = make_state(self.now + 0.005, position)
            self.command = make_command(self.now + 0.005, position)
            self.take(0.005, *((request,) if request is not None and index == count // 2 else ()))

    @rule(seed=seeds, size=st.floats(0.0, 5.0), bad=wild, where=st.integers(0, 17), age=st.floats(-1.0, 1.0))
    def robot_does_anything(self, seed: int, size: float, bad: float, where: int, age: float) -> None:
        random = np.random.default_rng(seed)
        position = joint_array("stand") + size * random.normal(size=18)
        position[where] = bad
        quaternion = random.normal(size=4)
        self.robot = replace(
            make_state(self.now - age, position),
            velocity=20.0 * size * random.normal(size=18),
            orientation=quaternion / np.linalg.norm(quaternion),
        )

    @rule()
    def robot_disappears(self) -> None:
        self.robot = None

    @rule(seed=seeds, size=st.floats(0.0, 50.0), bad=wild, where=st.integers(0, 17), names=st.permutations(JOINT_NAMES),
          publishers=st.integers(0, 3))  # fmt: skip
    def controller_does_anything(
        self, seed: int, size: float, bad: float, where: int, names: list[str], publishers: int
    ) -> None:
        random = np.random.default_rng(seed)
        position, velocity, effort = (size * random.normal(size=18) for _ in range(3))
        position[where] = bad
        self.command = make_command(self.now, position, velocity=velocity, effort=effort, names=tuple(names))
        self.publishers = publishers

    @rule()
    def controller_alone(self) -> None:
        self.publishers = 1

    @rule(travel=st.one_of(st.none(), wild))
    def operator_moves_the_gripper(self, travel: float | None) -> None:
        self.gripper = travel

    @invariant()
    def outputs_are_finite_and_inside_the_limits(self) -> None:
        targets = self.output.targets if self.output is not None else None
        if targets is None:
            return
        for values in (targets.position, targets.velocity, targets.effort, targets.kp, targets.kd):
            assert values.shape == (18,) and np.isfinite(values).all()
        assert (targets.position >= LOWER).all() and (targets.position <= UPPER).all()
        assert (np.abs(targets.velocity) <= joint_array("velocity")).all()
        assert (np.abs(targets.effort) <= EFFORT).all()
        assert (targets.kp >= 0.0).all() and (targets.kp <= KP).all() and (targets.kd > 0.0).all()
        if targets.gripper_position is not None:
            assert GRIPPER.lower <= targets.gripper_position <= GRIPPER.upper

    @invariant()
    def predicted_torque_is_limited_unless_at_a_joint_limit(self) -> None:
        if self.output is None or self.output.targets is None or self.seen is None:
            return
        if self.output.mode not in (Mode.HOLD, Mode.ACTIVE, Mode.SITTING, Mode.STANDING_UP):
            return
        targets = self.output.targets
        torque = targets.kp * (targets.position - self.seen.position) + targets.effort
        torque += targets.kd * (targets.velocity - self.seen.velocity)
        at_limit = (targets.position <= LOWER) | (targets.position >= UPPER) | (targets.kp < 0.5 * KP)
        assert (at_limit | (np.abs(torque) <= PARAMS.torque_fraction * EFFORT + 1e-6)).all()

    @invariant()
    def active_only_from_hold_by_activate(self) -> None:
        if self.gate.mode is Mode.ACTIVE and self.previous is not Mode.ACTIVE:
            assert self.output is None or (self.previous is Mode.HOLD and Request.ACTIVATE in self.asked)

    @invariant()
    def estop_latches(self) -> None:
        if Request.ESTOP in self.asked:
            assert self.gate.mode is Mode.ESTOP
        if self.previous is Mode.ESTOP and Request.RESET not in self.asked:
            assert self.gate.mode is Mode.ESTOP
        if self.previous is Mode.ESTOP:
            assert self.gate.mode in (Mode.ESTOP, Mode.DAMPING)

    @invariant()
    def full_gains_only_with_a_good_robot(self) -> None:
        if self.output is None or self.gate.now is None:
            return
        if self.gate.mode in (Mode.HOLD, Mode.ACTIVE, Mode.SITTING, Mode.STANDING_UP):
            assert untrusted(self.seen, self.gate.now, PARAMS) is None
            assert self.seen is not None and body_fault(self.seen, PARAMS) is None
        elif self.gate.mode is Mode.DISCONNECTED:
            assert self.output.targets is None
        elif self.output.targets is not None:
            assert not self.output.targets.kp[:12].any()


AnyWorld.TestCase.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnyWorld = AnyWorld.TestCase


def test_the_machine_reaches_active() -> None:
    """The properties above say nothing if the machine could not get there."""
    driver = Driver().active()
    assert driver.gate.mode is Mode.ACTIVE
    assert untrusted(make_state(driver.now, driver.position), driver.now, PARAMS) is None
    assert body_fault(make_state(driver.now, driver.position), PARAMS) is None
