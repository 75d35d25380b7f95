"""The state machine that decides what is sent: each stop, each limit, and properties under any input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from go2_piper_driver.arm_types import ArmState, ArmTargets
from go2_piper_driver.piper.follower import (
    CALM_TIME,
    COMMAND_TIMEOUT,
    CONTROL_TIMEOUT,
    DRAG_TIME,
    ENABLE_TIMEOUT,
    FIRST_SPEED,
    MAX_DRAG,
    STATE_TIMEOUT,
    Follower,
    Inputs,
    Mode,
    Output,
)
from go2_piper_driver.piper.limits import ArmLimits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

LIMITS = ArmLimits((-2.0, 0.0, -2.9, -1.7, -1.2, -1.7), (2.0, 3.0, 0.0, 1.7, 1.2, 1.7), 0.035)
START = np.array([0.1, 0.2, -0.3, 0.4, 0.5, -0.6])
ON, OFF = (True,) * 6, (False,) * 6
TICK = 0.005


def state(stamp: float, position: np.ndarray = START, faults: tuple[str, ...] = ()) -> ArmState:
    zeros = np.zeros(6)
    return ArmState(stamp, position, zeros, zeros, 0.0, 0.0, zeros + 35.0, True, faults)


def targets(position: np.ndarray | float, kp: float, gripper: float | None = None) -> ArmTargets:
    zeros = np.zeros(6)
    return ArmTargets(zeros + position, zeros, zeros, zeros + kp, zeros + 1.0, gripper)


class Bench:
    """A follower with a perfect arm, unless a test spoils something."""

    def __init__(self) -> None:
        self.follower = Follower(LIMITS)
        self.now = 50.0
        self.position = START.copy()
        self.powered: tuple[bool, ...] = OFF
        self.under_control = False
        self.faults: tuple[str, ...] = ()
        self.state_age = 0.0
        self.has_state = True

    def tick(self, wanted: ArmTargets | None, age: float = 0.0) -> Output:
        self.now += TICK
        now_state = state(self.now - self.state_age, self.position, self.faults) if self.has_state else None
        inputs = Inputs(self.now, now_state, self.powered, self.under_control, wanted, self.now - age)
        out = self.follower.step(inputs)
        if out.enable:
            self.powered = ON
        if out.speed > 0.0:
            self.under_control = True
        if out.position is not None and all(self.powered):
            step = np.clip(out.position - self.position, -out.speed * 3.0 * TICK, out.speed * 3.0 * TICK)
            self.position = self.position + step
        return out

    def calm(self) -> None:
        for _ in range(round(1.1 * CALM_TIME / TICK)):
            self.tick(targets(0.0, 0.0))

    def following(self) -> Bench:
        self.calm()
        for _ in range(4):
            self.tick(targets(START, 80.0))
        assert self.follower.mode is Mode.FOLLOWING
        return self


def test_nothing_is_sent_before_targets_without_gain_and_with_gain_have_come() -> None:
    bench = Bench()
    for wanted in (None, targets(START, 80.0), targets(START, 80.0), targets(0.0, 0.0), targets(0.0, 0.0)):
        out = bench.tick(wanted)
        assert out.position is None and out.enable == () and out.speed == 0.0
    assert bench.tick(targets(START, 80.0)).enable == (1, 2, 3, 4, 5, 6)


def test_the_first_target_is_where_the_arm_is() -> None:
    bench = Bench()
    bench.tick(targets(0.0, 0.0))
    outs = [bench.tick(targets(np.array([1.5, 2.0, -2.0, 1.0, 1.0, 1.0]), 80.0)) for _ in range(4)]
    first = next(out for out in outs if out.position is not None)
    assert first.position is not None
    np.testing.assert_allclose(first.position, START, atol=FIRST_SPEED * 3.0 * TICK + 1e-9)


def test_speed_grows_and_targets_move_at_most_that_fast() -> None:
    bench = Bench().following()
    last, speeds = bench.tick(targets(START, 80.0)).position, []
    for _ in range(500):
        out = bench.tick(targets(np.array(LIMITS.upper), 80.0))
        assert out.position is not None and last is not None
        assert np.all(np.abs(out.position - last) <= out.speed * 3.0 * TICK + 1e-9)
        last = out.position
        speeds.append(out.speed)
    assert speeds[0] < 0.15 and speeds == sorted(speeds) and speeds[-1] == 1.0


def test_targets_do_not_run_ahead_of_an_arm_that_is_stuck() -> None:
    bench = Bench().following()
    stuck = bench.position.copy()
    for _ in range(500):
        out = bench.tick(targets(np.array(LIMITS.upper), 80.0))
        bench.position = stuck
    assert out.position is not None and np.abs(out.position - stuck).max() <= 0.31


def test_enable_times_out() -> None:
    bench = Bench()
    bench.tick(targets(0.0, 0.0))
    count = 0
    while bench.follower.mode is not Mode.WAITING or count == 0:
        out = bench.tick(targets(START, 80.0))
        bench.powered = (True, True, False, True, True, True)
        assert out.position is None
        count += 1
        assert count < 2 * ENABLE_TIMEOUT / TICK
    assert "piper_joint3 got no power" in bench.follower.reason
    assert bench.tick(targets(START, 80.0)).enable == ()


@pytest.mark.parametrize("spoil", ["fault", "stale", "no state", "no power", "no control"])
def test_trouble_holds_the_arm_until_it_is_released(spoil: str) -> None:
    bench = Bench().following()
    for _ in range(20):
        bench.tick(targets(START + 0.3, 80.0))
    was = bench.position.copy()
    if spoil == "fault":
        bench.faults = ("piper_joint2: driver error",)
    elif spoil == "stale":
        bench.state_age = STATE_TIMEOUT + 0.01
    elif spoil == "no state":
        bench.has_state = False
    for _ in range(round(2 * CONTROL_TIMEOUT / TICK)):
        if spoil == "no power":
            bench.powered = (True, False, True, True, True, True)
        elif spoil == "no control":
            bench.under_control = False
        out = bench.tick(targets(START + 1.0, 80.0))
    assert bench.follower.mode is Mode.HOLDING and bench.follower.reason
    held = out.position
    assert held is not None
    if spoil in ("fault", "stale", "no state"):
        assert np.abs(held - was).max() < 0.1
    bench.faults, bench.state_age, bench.has_state = (), 0.0, True
    bench.powered, bench.under_control = ON, True
    out = bench.tick(targets(START + 1.0, 80.0))
    assert bench.follower.mode is Mode.HOLDING, "it does not go on by itself"
    assert out.position is not None and np.abs(out.position - held).max() < 0.1
    bench.tick(targets(0.0, 0.0))
    if spoil in ("fault", "stale", "no state"):
        assert bench.follower.mode is Mode.HOLDING, "nothing wrong for a moment is not enough"
    bench.calm()
    assert bench.follower.mode is Mode.WAITING and bench.follower.reason == ""
    for _ in range(4):
        bench.tick(targets(START + 1.0, 80.0))
    assert bench.follower.mode is Mode.FOLLOWING


def test_an_arm_that_holds_is_not_released_while_the_fault_is_there() -> None:
    bench = Bench().following()
    bench.faults = ("arm: collision",)
    for _ in range(2):
        bench.calm()
    assert bench.follower.mode is Mode.HOLDING


def test_targets_that_stop_coming_leave_the_arm_where_it_is() -> None:
    bench = Bench().following()
    wanted = targets(START + 0.6, 80.0)
    for _ in range(60):
        bench.tick(wanted)
    position = bench.position.copy()
    ages = np.arange(0.0, 2 * COMMAND_TIMEOUT, TICK)
    outs = [bench.tick(wanted, age=float(age)) for age in ages]
    held = [out.position for out, age in zip(outs, ages, strict=True) if age > COMMAND_TIMEOUT]
    assert held[0] is not None and np.abs(held[0] - position).max() < 3.0 * COMMAND_TIMEOUT
    np.testing.assert_array_equal(held[-1], held[-5])
    assert all(not out.compliant for out, age in zip(outs, ages, strict=True) if age > COMMAND_TIMEOUT)
    assert bench.tick(wanted).compliant


def test_no_gain_means_hold_where_it_is() -> None:
    bench = Bench().following()
    for _ in range(30):
        bench.tick(targets(START + 0.6, 80.0))
    outs = [bench.tick(targets(0.0, 0.0)) for _ in range(50)]
    assert outs[0].position is not None and np.abs(outs[0].position - bench.position).max() < 0.05
    np.testing.assert_array_equal(outs[-1].position, outs[-20].position)


def test_an_arm_without_power_gets_no_targets_even_when_somebody_powers_it() -> None:
    bench = Bench().following()
    bench.faults = ("arm: emergency stop",)
    bench.tick(targets(START, 80.0))
    bench.powered = OFF
    assert bench.tick(targets(START, 80.0)).position is None
    bench.faults, bench.powered = (), ON
    for _ in range(20):
        assert bench.tick(targets(START + 1.0, 80.0)).position is None


def test_an_arm_that_holds_is_not_dragged_back_when_a_person_moves_it() -> None:
    bench = Bench().following()
    bench.faults = ("arm: not under CAN control",)
    bench.tick(targets(START, 80.0))
    moved = START + MAX_DRAG + 0.1
    for _ in range(round((DRAG_TIME + 0.3) / TICK)):
        bench.position = moved.copy()
        out = bench.tick(targets(START, 80.0))
        assert out.position is not None and out.speed <= FIRST_SPEED
    assert out.position is not None
    np.testing.assert_allclose(out.position, np.clip(moved, LIMITS.lower, LIMITS.upper), atol=0.02)


def test_nothing_goes_on_after_a_new_connection() -> None:
    bench = Bench().following()
    bench.follower.forget("lost the arm")
    for _ in range(20):
        out = bench.tick(targets(START, 80.0))
        assert out.position is None and out.enable == ()


numbers = st.floats(-10.0, 10.0)
poses = st.lists(numbers, min_size=6, max_size=6).map(np.array)


class AnyInputs(RuleBasedStateMachine):
    """Whatever comes: targets stay inside the limits, move slowly, start where the arm is; no gain, no start."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.bench.powered = OFF
        self.last: np.ndarray | None = None
        self.moved = 0.0
        self.out = Output()
        self.troubled = False

    def run(self, wanted: ArmTargets | None, age: float, count: int) -> None:
        for _ in range(count):
            was = self.bench.position.copy()
            troubled = bool(self.bench.faults) or self.bench.state_age > STATE_TIMEOUT or not self.bench.has_state
            out = self.bench.tick(wanted, age)
            mode = self.bench.follower.mode
            if out.position is not None:
                assert np.all(out.position >= np.array(LIMITS.lower) - 1e-9)
                assert np.all(out.position <= np.array(LIMITS.upper) + 1e-9)
                inside = np.clip(was, LIMITS.lower, LIMITS.upper)
                reference = [self.last] if self.last is not None else []
                near = min(float(np.abs(out.position - point).max()) for point in (inside, *reference))
                assert near <= 3.0 * 0.02 + 1e-9
            if troubled:
                assert mode in (Mode.WAITING, Mode.HOLDING) and not out.compliant and out.enable == ()
            if wanted is None or age > COMMAND_TIMEOUT:
                assert not out.compliant and out.enable == ()
            self.last, self.out = out.position, out

    @rule(pose=poses, kp=st.sampled_from([0.0, 80.0]), age=st.sampled_from([0.0, 0.0, 0.2]), count=st.integers(1, 20))
    def command(self, pose: np.ndarray, kp: float, age: float, count: int) -> None:
        self.run(targets(pose, kp, 0.01), age, count)

    @rule(count=st.integers(1, 20))
    def silence(self, count: int) -> None:
        self.run(None, 0.0, count)

    @rule(faults=st.sampled_from([(), (), ("arm: collision",)]))
    def trouble(self, faults: tuple[str, ...]) -> None:
        self.bench.faults = faults

    @rule(age=st.sampled_from([0.0, 0.0, 0.05, 0.3]), there=st.sampled_from([True, True, True, False]))
    def feedback(self, age: float, there: bool) -> None:
        self.bench.state_age, self.bench.has_state = age, there

    @rule(powered=st.lists(st.booleans(), min_size=6, max_size=6), control=st.booleans())
    def power(self, powered: list[bool], control: bool) -> None:
        self.bench.powered, self.bench.under_control = tuple(powered), control

    @rule()
    def reconnect(self) -> None:
        self.bench.follower.forget("test")
        self.last = None

    @invariant()
    def modes_explain_themselves(self) -> None:
        if self.bench.follower.mode is Mode.HOLDING:
            assert self.bench.follower.reason


TestAnyInputs = AnyInputs.TestCase
TestAnyInputs.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


@settings(deadline=None)
@given(poses, poses)
def test_targets_far_away_are_reached_only_inside_the_limits(start: np.ndarray, goal: np.ndarray) -> None:
    bench = Bench()
    bench.position = np.clip(start, LIMITS.lower, LIMITS.upper)
    bench.tick(targets(0.0, 0.0))
    for _ in range(10):
        out = bench.tick(replace(targets(0.0, 80.0), position=goal))
        if out.position is not None:
            assert np.all(out.position >= np.array(LIMITS.lower) - 1e-9)
            assert np.all(out.position <= np.array(LIMITS.upper) + 1e-9)
