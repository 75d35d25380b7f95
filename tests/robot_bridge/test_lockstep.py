"""When simulation time may pass in lockstep."""

from __future__ import annotations

from robot_bridge.lockstep import Lockstep

STEP = 0.005


def advance(lockstep: Lockstep, time: float, wall: float = 0.0, limit: int = 1000) -> float:
    """Step as far as allowed."""
    for _ in range(limit):
        if not lockstep.may_step(time, STEP, wall):
            break
        time = round(time + STEP, 9)
    return time


def test_runs_free_until_the_first_command() -> None:
    assert advance(Lockstep(0.02), 0.0, limit=500) == 2.5


def test_waits_for_the_command_of_each_control_period() -> None:
    lockstep = Lockstep(0.02)
    time = 1.0
    for _ in range(5):
        lockstep.command_arrived(time, time)
        time = advance(lockstep, time)
    assert time == 1.1
    assert not lockstep.may_step(time, STEP, wall=1.9)


def test_goes_on_when_the_controller_is_gone_and_waits_again_when_it_returns() -> None:
    lockstep = Lockstep(0.02, patience=2.0)
    lockstep.command_arrived(1.0, 1.0)
    time = advance(lockstep, 1.0, wall=10.0)
    assert not lockstep.may_step(time, STEP, wall=11.9)
    assert lockstep.may_step(time, STEP, wall=12.0)
    assert lockstep.controller_gone
    assert advance(lockstep, time, wall=12.0, limit=100) > time + 0.4
    lockstep.command_arrived(2.0, 2.0)
    assert advance(lockstep, 2.0, wall=12.0) == 2.02


def test_an_old_command_lets_no_time_pass() -> None:
    lockstep = Lockstep(0.02)
    lockstep.command_arrived(0.5, 1.0)
    assert not lockstep.may_step(1.0, STEP, wall=0.0)


def test_a_command_from_the_future_is_not_believed() -> None:
    lockstep = Lockstep(0.02)
    lockstep.command_arrived(1e9, 1.0)
    assert advance(lockstep, 1.0) == 1.02


def test_waits_for_the_scenario() -> None:
    lockstep = Lockstep(0.02, wait_for_run_until=True)
    assert not lockstep.may_step(0.0, STEP, wall=0.0)
    lockstep.run_until(0.5)
    assert advance(lockstep, 0.0) == 0.5
    lockstep.run_until(0.503)  # less than a step further
    assert not lockstep.may_step(0.5, STEP, wall=1000.0)


def test_waiting_for_the_scenario_does_not_use_up_the_patience_for_commands() -> None:
    lockstep = Lockstep(0.02, wait_for_run_until=True, patience=2.0)
    lockstep.run_until(0.02)
    lockstep.command_arrived(0.0, 0.0)
    assert advance(lockstep, 0.0) == 0.02
    assert not lockstep.may_step(0.02, STEP, wall=100.0)
    lockstep.run_until(1.0)
    assert not lockstep.may_step(0.02, STEP, wall=200.0)
    assert not lockstep.may_step(0.02, STEP, wall=201.9)
    assert lockstep.may_step(0.02, STEP, wall=202.0)


def test_run_until_has_no_effect_unless_it_is_waited_for() -> None:
    lockstep = Lockstep(0.02)
    lockstep.run_until(0.1)
    assert advance(lockstep, 0.0, limit=100) == 0.5
