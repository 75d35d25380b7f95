"""Messages of one stamp are put together in whatever order they arrive."""

from __future__ import annotations

import itertools

import pytest
from moe_controller.state_assembler import KEPT, Kind, StateAssembler

MS = 1_000_000
KINDS: tuple[Kind, ...] = ("imu", "odometry", "joints")


def feed(assembler: StateAssembler, stamp_ns: int, kinds: tuple[Kind, ...] = KINDS) -> None:
    for kind in kinds:
        assembler.add(kind, stamp_ns, f"{kind} {stamp_ns}")


@pytest.mark.parametrize("order", list(itertools.permutations(KINDS)))
def test_complete_with_the_last_of_three_in_any_order(order: tuple[Kind, ...]) -> None:
    assembler = StateAssembler(odometry_required=True)
    feed(assembler, 5 * MS, order[:2])
    assert assembler.newest() is None
    feed(assembler, 5 * MS, order[2:])
    measurement = assembler.newest()
    assert measurement is not None and measurement.stamp_ns == 5 * MS and measurement.odometry == f"odometry {5 * MS}"


def test_newest_and_next() -> None:
    assembler = StateAssembler()
    for stamp in (0, 5, 10, 15):
        feed(assembler, stamp * MS)
    newest, following = assembler.newest(), assembler.next(6 * MS)
    assert newest is not None and newest.stamp_ns == 15 * MS
    assert following is not None and following.stamp_ns == 10 * MS
    assert assembler.next(16 * MS) is None


def test_stamps_are_never_mixed() -> None:
    assembler = StateAssembler()
    feed(assembler, 5 * MS, ("imu",))
    feed(assembler, 10 * MS, ("joints",))
    assert assembler.newest() is None


def test_without_odometry_only_where_it_is_not_required() -> None:
    for required in (False, True):
        assembler = StateAssembler(odometry_required=required)
        feed(assembler, 5 * MS, ("imu", "joints"))
        assert (assembler.newest() is None) == required


def test_odometry_is_waited_for_while_it_comes_and_not_when_lost() -> None:
    assembler = StateAssembler()
    feed(assembler, 0)
    feed(assembler, 5 * MS, ("imu", "joints"))
    newest = assembler.newest()
    assert newest is not None and newest.stamp_ns == 0
    feed(assembler, 200 * MS, ("imu", "joints"))
    newest = assembler.newest()
    assert newest is not None and newest.stamp_ns == 200 * MS and newest.odometry is None


def test_memory_is_bounded() -> None:
    assembler = StateAssembler()
    for stamp in range(1000):
        feed(assembler, stamp * MS)
    assert assembler.next(0) is not None
    assert assembler.next(0).stamp_ns == (1000 - KEPT) * MS  # type: ignore[union-attr]


def test_clock_that_is_set_back_begins_anew() -> None:
    assembler = StateAssembler()
    feed(assembler, 5000 * MS)
    feed(assembler, 5 * MS, ("imu", "joints"))
    assert assembler.restarts == 1
    newest = assembler.newest()
    assert newest is not None and newest.stamp_ns == 5 * MS
