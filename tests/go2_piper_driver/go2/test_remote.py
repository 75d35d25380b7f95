"""The Go2's remote control as requests."""

from __future__ import annotations

import pytest
from go2_piper_driver.go2.remote import MEANING, Button, Remote, buttons
from hypothesis import given
from hypothesis import strategies as st
from robot_bridge.modes import Request


def _bytes(held: Button) -> bytes:
    return bytes(2) + int(held).to_bytes(2, "little") + bytes(36)


def test_every_request_has_buttons_of_its_own() -> None:
    assert {request for _, request in MEANING} == set(Request)
    assert all(mask.bit_count() == 2 for mask, _ in MEANING)


def test_buttons_are_where_the_vendor_has_them() -> None:
    assert buttons(bytes((0x55, 0x51, 0x20, 0x02)) + bytes(36)) == Button.L2 | Button.B


@pytest.mark.parametrize(("mask", "request_"), MEANING)
def test_a_press_is_one_request(mask: Button, request_: Request) -> None:
    remote = Remote()
    remote.step(_bytes(Button(0)))
    assert remote.request is None
    for _ in range(3):
        remote.step(_bytes(mask))
    assert remote.request == (1, request_.value)
    remote.step(_bytes(Button(0)))
    assert remote.request == (1, request_.value)
    remote.step(_bytes(mask))
    assert remote.request == (2, request_.value)


@pytest.mark.parametrize("button", list(Button))
def test_one_button_alone_asks_for_nothing(button: Button) -> None:
    remote = Remote()
    remote.step(_bytes(button))
    assert remote.request is None and not remote.stops


@given(st.binary(min_size=40, max_size=40))
def test_the_stop_wins_over_whatever_else_is_held(noise: bytes) -> None:
    remote = Remote()
    remote.step(_bytes(buttons(noise) | Button.L2 | Button.B))
    assert remote.stops and remote.request == (1, "estop")


def test_an_absent_remote_asks_for_nothing() -> None:
    remote = Remote()
    remote.step(bytes(40))
    assert remote.request is None and not remote.stops
