"""Every stop out of a stride: shipped policy, real gate, simulated robot; ROS-free and in lockstep."""

from __future__ import annotations

import pytest
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Mode, Request

from benchmarks.stride_stops import FASTEST, ON_ITS_SIDE, STEP, WALKS, Walk

TILT_LIMIT = 0.5
"""rad; in walking it is below 0.15, and the gate itself gives up at 1.0."""
PHASES = 5
"""Stops in one stride, which takes about half a second."""
BETWEEN = 20
"""Turns from one phase to the next."""


@pytest.mark.parametrize("velocity", WALKS[:2])
def test_sit_is_refused_in_a_stride(velocity: tuple[float, float, float]) -> None:
    after = Walk.begin(velocity).stop(Request.SIT, silent=False)
    assert after.mode is Mode.ACTIVE and "stop the robot first" in after.reply
    assert after.largest_tilt < 0.3  # it walks on


def test_sit_out_of_a_stand_under_the_policy_ends_lying() -> None:
    after = Walk.begin((0.0, 0.0, 0.0)).stop(Request.SIT, silent=False)
    assert after.modes == [Mode.SITTING, Mode.PASSIVE]
    assert after.largest_tilt < 0.3 and after.height < 0.2


@pytest.mark.parametrize("velocity", [*WALKS, FASTEST])
def test_silent_controller_leads_to_hold_then_damping_in_the_configured_times(
    velocity: tuple[float, float, float],
) -> None:
    walk, params = Walk.begin(velocity), GateParams()
    for _ in range(PHASES):
        after = walk.branch().stop(None)
        assert after.modes == [Mode.HOLD, Mode.DAMPING]
        # the last command is up to one control period older than the silence
        for time, limit in zip(after.times, (params.command_hold_after, params.command_damp_after), strict=True):
            assert limit - 0.02 <= time <= limit + 2 * STEP
        assert after.largest_tilt < TILT_LIMIT
        assert after.height < 0.2
        for _ in range(BETWEEN):
            walk.tick()


@pytest.mark.parametrize("request_", [Request.DAMP, Request.ESTOP])
@pytest.mark.parametrize("velocity", [*WALKS, FASTEST])
def test_damp_and_estop_act_at_once_and_let_the_robot_down(
    velocity: tuple[float, float, float], request_: Request
) -> None:
    """Friction alone holds no robot upright; out of its fastest walk it may tilt more, but not fall on its side."""
    walk = Walk.begin(velocity)
    for _ in range(PHASES):
        after = walk.branch().stop(request_)
        assert after.times == [0.0]
        assert after.mode is (Mode.DAMPING if request_ is Request.DAMP else Mode.ESTOP)
        assert after.largest_tilt < (ON_ITS_SIDE if velocity == FASTEST else TILT_LIMIT)
        assert after.height < 0.2
        for _ in range(BETWEEN):
            walk.tick()
