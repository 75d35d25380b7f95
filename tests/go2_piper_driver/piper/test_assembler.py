"""No six-vector is ever mixed from two measurements that differ by more than what an arm moves between them."""

from __future__ import annotations

import random

from go2_piper_driver.piper.assembler import Assembler, JointFrames
from go2_piper_driver.piper.wire import MDEG_PER_RAD
from hypothesis import given, settings
from hypothesis import strategies as st

CYCLE = 0.005


def feed_cycle(assembler: Assembler, now: float, values: tuple[int, ...], parts: tuple[int, ...] = (0, 1, 2)) -> object:
    out = None
    for part in parts:
        out = assembler.feed(part, (values[2 * part], values[2 * part + 1]), now) or out
    return out


def test_three_frames_make_a_measurement_with_the_stamp_of_the_first() -> None:
    assembler = Assembler()
    assert assembler.feed(0, (1, 2), 1.0) is None
    assert assembler.feed(1, (3, 4), 1.001) is None
    assert assembler.feed(2, (5, 6), 1.002) == JointFrames(1.0, (1, 2, 3, 4, 5, 6))


def test_incomplete_or_disordered_cycles_are_dropped() -> None:
    for parts in ((0, 1), (0, 2), (1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)):
        assembler = Assembler()
        assert feed_cycle(assembler, 1.0, (0,) * 6, parts) is None
        assert feed_cycle(assembler, 1.0 + CYCLE, (7,) * 6) == JointFrames(1.0 + CYCLE, (7,) * 6)
        assert assembler.rejected > 0


def test_doubled_frames_do_no_harm() -> None:
    assembler = Assembler()
    assert feed_cycle(assembler, 1.0, (1, 2, 3, 4, 5, 6), (0, 0, 1, 2)) == JointFrames(1.0, (1, 2, 3, 4, 5, 6))


def test_frames_that_come_too_far_apart_do_not_belong_together() -> None:
    assembler = Assembler()
    assembler.feed(0, (0, 0), 1.0)
    assembler.feed(1, (0, 0), 1.001)
    assert assembler.feed(2, (0, 0), 1.01) is None


def test_a_jump_is_refused_until_the_arm_can_have_moved_there() -> None:
    assembler, far = Assembler(), (round(0.5 * MDEG_PER_RAD),) * 6
    assert feed_cycle(assembler, 1.0, (0,) * 6)
    answers = [feed_cycle(assembler, 1.0 + n * CYCLE, far) is not None for n in range(1, 40)]
    first = answers.index(True)
    assert first >= 10 and all(answers[first:])


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_under_any_mix_every_vector_is_close_to_one_instant(seed: int, trouble: float) -> None:
    """Joint values tell their cycle. A moving arm, frames lost, doubled, swapped and late."""
    rng, assembler = random.Random(seed), Assembler()
    step = 0.003 * MDEG_PER_RAD  # 0.6 rad/s
    queue: list[tuple[float, int, int]] = []
    for cycle in range(60):
        for part in range(3):
            arrival = cycle * CYCLE + part * 1e-4
            if rng.random() < trouble:
                arrival += rng.random() * 0.08
            if rng.random() >= 0.3 * trouble:
                queue.append((arrival, part, cycle))
            if rng.random() < 0.3 * trouble:
                queue.append((arrival + 1e-4, part, cycle))
    for arrival, part, cycle in sorted(queue):
        whole = assembler.feed(part, (round(cycle * step),) * 2, arrival)
        if whole is not None:
            # bound: how far a joint may be off by what the check on speed lets through
            spread = max(whole.mdeg) - min(whole.mdeg)
            assert spread <= 0.6 * MDEG_PER_RAD
            assert whole.stamp <= arrival
