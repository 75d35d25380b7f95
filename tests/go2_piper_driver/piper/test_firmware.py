"""Firmware texts, bands, and where MIT mode is refused."""

from __future__ import annotations

import pytest
from go2_piper_driver.piper.firmware import BANDS, FirmwareError, find_firmware, known_firmware, mit_scale
from hypothesis import given
from hypothesis import strategies as st


def test_the_text_is_found_in_the_answer() -> None:
    assert find_firmware(b"H-V1.2-1S-V1.8-2\x00\x00") == "S-V1.8-2"
    assert find_firmware(b"S-V1.8-10\x00") == "S-V1.8-10", "piper_sdk would read S-V1.8-1"
    assert find_firmware(b"S-V1.") is None


@given(st.binary(max_size=64))
def test_any_answer_is_read_or_refused(stream: bytes) -> None:
    text = find_firmware(stream)
    if text is not None:
        try:
            known_firmware(text)
        except FirmwareError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text", ["", "S-V", "S-V1.8", "V1.8-2", "S-V1.8-2x", "S-V9.9-9", "S-V1.5-1", "S-V1.9-0", "S-V0.0-0", "\u0661"]
)
def test_unknown_firmware_is_refused(text: str) -> None:
    with pytest.raises(FirmwareError, match="firmware"):
        known_firmware(text)


def test_bands_follow_each_other() -> None:
    for one, next_one in zip(BANDS, BANDS[1:], strict=False):
        assert one.first <= one.last < next_one.first


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("S-V1.5-2", False),
        ("S-V1.7-2", False),
        ("S-V1.7-3", True),
        ("S-V1.8-2", True),
        ("S-V1.8-3", False),
        ("S-V1.8-7", False),
        ("S-V1.8-8", False),
        ("S-V1.8-10", False),
    ],
)
def test_mit_mode_only_where_torques_are_known(text: str, allowed: bool) -> None:
    firmware = known_firmware(text)
    if allowed:
        assert mit_scale(firmware) == (4.0, 4.0, 4.0, 1.0, 1.0, 1.0)
    else:
        with pytest.raises(FirmwareError, match="no MIT mode"):
            mit_scale(firmware)
