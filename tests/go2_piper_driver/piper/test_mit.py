"""MIT set points: fields inside the wire's range and torque inside the joint's effort, whatever is asked."""

from __future__ import annotations

import pytest
from go2_piper_description.joints import ARM_JOINTS, Joint
from go2_piper_driver.piper import wire
from go2_piper_driver.piper.mit import set_point
from hypothesis import given
from hypothesis import strategies as st

anything = st.floats(-1e6, 1e6)
scales = st.sampled_from([1.0, 4.0])


@given(st.sampled_from(ARM_JOINTS), *[anything] * 5, st.floats(-3.0, 3.0), st.floats(-5.0, 5.0), scales)
def test_any_wish_is_made_harmless(
    joint: Joint, p: float, v: float, t: float, kp: float, kd: float, q: float, dq: float, scale: float
) -> None:
    point = set_point(joint, p, v, t, kp, kd, (q, dq), scale)
    assert point == wire.clamp_mit(point), "every field is inside the wire's range"
    assert point.kd >= 0.0 and point.kp >= 0.0
    assert joint.lower <= point.position <= joint.upper or point.kp == 0.0
    assert abs(point.velocity) <= joint.velocity
    if joint.lower <= q <= joint.upper:
        assert abs(scale * point.kp * (point.position - q)) <= joint.effort * (1 + 1e-9)
    damping = scale * point.kd * (point.velocity - dq)
    if abs(damping) < joint.effort:
        total = scale * (point.kp * (point.position - q) + point.torque) + damping
        room = max(0.0, abs(scale * point.kp * (point.position - q) + damping) - joint.effort - scale * 8.0)
        assert abs(total) <= joint.effort + room + 1e-6 or not joint.lower <= q <= joint.upper


def test_a_moderate_wish_passes_unchanged_but_for_the_scale() -> None:
    joint = ARM_JOINTS[1]
    point = set_point(joint, 1.0, 0.2, 3.0, 20.0, 1.0, (0.9, 0.1), 4.0)
    assert point == wire.MitSetPoint(1.0, 0.2, 5.0, 0.25, 0.75)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        set_point(ARM_JOINTS[0], 0.0, 0.0, bad, 10.0, 1.0, (0.0, 0.0), 1.0)
