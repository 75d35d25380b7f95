"""The arm's limits are the intersection of joint table, SDK and arm."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from go2_piper_description.joints import ARM_JOINTS
from go2_piper_driver.piper.frames import MotorLimits
from go2_piper_driver.piper.limits import LimitsError, intersect

SDK = [(-2.6179, 2.6179), (0.0, 3.14), (-2.967, 0.0), (-1.745, 1.745), (-1.22, 1.22), (-2.09439, 2.09439)]
ARM = {n: MotorLimits(n, round(math.degrees(j.upper) * 10), round(math.degrees(j.lower) * 10), 3000)
       for n, j in enumerate(ARM_JOINTS, start=1)}  # fmt: skip


def test_each_source_narrows_the_limits() -> None:
    limits = intersect(SDK, 0.07, ARM)
    assert limits.upper[0] == 2.6179, "the SDK's"
    assert limits.upper[5] == 1.745, "the joint table's"
    narrow = intersect(SDK, 0.07, {**ARM, 4: MotorLimits(4, 500, -300, 3000)})
    assert narrow.upper[3] == pytest.approx(math.radians(50), abs=1e-3)
    assert narrow.lower[3] == pytest.approx(math.radians(-30), abs=1e-3)


def test_an_arm_that_says_more_gets_no_more() -> None:
    wide = {n: MotorLimits(n, 3600, -3600, 9000) for n in ARM}
    assert intersect(SDK, 0.2, wide) == intersect(SDK, 0.2, ARM)
    assert intersect(SDK, 0.2, wide).gripper == 0.035
    assert intersect(SDK, 0.05, wide).gripper == 0.025


def test_missing_or_senseless_answers_are_refused() -> None:
    with pytest.raises(LimitsError, match="did not tell the limits of piper_joint3"):
        intersect(SDK, 0.07, {n: limits for n, limits in ARM.items() if n != 3})
    for odd in (replace(ARM[2], max_ddeg=0, min_ddeg=0), replace(ARM[2], max_ddeg=-100, min_ddeg=100)):
        with pytest.raises(LimitsError, match="piper_joint2 moves from"):
            intersect(SDK, 0.07, {**ARM, 2: odd})
