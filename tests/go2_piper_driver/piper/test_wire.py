"""Units and ranges of the wire, and what piper_sdk makes of values beyond them."""

from __future__ import annotations

import math

import pytest
from go2_piper_driver.piper import frames, wire
from hypothesis import given
from hypothesis import strategies as st
from piper_sdk.protocol.protocol_v2 import C_PiperParserV2

wild = st.floats(allow_nan=False, allow_infinity=False, width=32)
FIELDS = (wire.MIT_POSITION, wire.MIT_VELOCITY, wire.MIT_KP, wire.MIT_KD, wire.MIT_TORQUE)


def sdk_raw(field: wire.MitField, value: float) -> int:
    return int(C_PiperParserV2().FloatToUint(value, field.low, field.high, field.bits))


def test_what_the_sdk_does_without_the_clamp() -> None:
    """The reason for the clamp: out of range, torque and damping change sign with a valid check digit."""
    torque = [sdk_raw(wire.MIT_TORQUE, value) & 0xFF for value in (8.1, 9.0, -9.0)]
    assert [round(wire.MIT_TORQUE.decode(raw), 2) for raw in torque] == [-8.0, -7.12, 7.12]
    assert wire.MIT_KD.decode(sdk_raw(wire.MIT_KD, 6.0) & 0xFFF) == pytest.approx(-4.0, abs=0.01)


@pytest.mark.parametrize("field", FIELDS)
@given(value=wild)
def test_clamped_values_fit_and_keep_their_sign(field: wire.MitField, value: float) -> None:
    clamped = field.clamp(value)
    raw = field.encode(clamped)
    assert 0 <= raw <= field.top
    assert raw == sdk_raw(field, clamped)
    step = (field.high - field.low) / field.top
    assert abs(field.decode(raw) - clamped) <= step * 1.001
    if field.low <= value <= field.high:
        assert clamped == value


@given(wild, wild, wild, wild, wild)
def test_set_points_survive_the_wire(p: float, v: float, kp: float, kd: float, t: float) -> None:
    point = wire.clamp_mit(wire.MitSetPoint(p, v, kp, kd, t))
    assert point.kd >= 0.0
    frame = frames.unpack_mit(frames.pack_mit(wire.mit_to_frame(point)))
    assert frame is not None
    seen = wire.mit_from_frame(frame)
    for name, field in zip(("position", "velocity", "kp", "kd", "torque"), FIELDS, strict=True):
        step = (field.high - field.low) / field.top
        assert abs(getattr(seen, name) - getattr(point, name)) <= step * 1.001


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    for field in FIELDS:
        with pytest.raises(ValueError, match="cannot be sent"):
            field.clamp(bad)
    with pytest.raises(ValueError, match="cannot be sent"):
        wire.joint_to_mdeg(bad, -1.0, 1.0)
    with pytest.raises(ValueError, match="cannot be sent"):
        wire.stroke_to_um(bad, 0.035)


@given(wild)
def test_joint_targets_stay_inside_their_limits_after_rounding(angle: float) -> None:
    raw = wire.joint_to_mdeg(angle, -2.967, 0.0)
    assert -2.967 <= wire.mdeg_to_rad(raw) <= 0.0


@given(st.floats(-3.0, 3.0))
def test_angles_round_instead_of_truncating(angle: float) -> None:
    assert abs(wire.mdeg_to_rad(wire.rad_to_mdeg(angle)) - angle) <= math.radians(0.0005) * 1.001


@given(wild)
def test_the_gripper_stays_inside_its_stroke(travel: float) -> None:
    stroke = wire.stroke_to_um(travel, 0.035)
    assert 0 <= stroke <= 70_000
    if 0.0 <= travel <= 0.035:
        assert wire.um_to_travel(stroke) == pytest.approx(travel, abs=3e-7)
