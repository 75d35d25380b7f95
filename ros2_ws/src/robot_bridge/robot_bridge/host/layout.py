"""The packets between the bridge and a plant host: fixed binary layout, little endian. Runs on Python 3.6.

A packet is a header and a body. States and targets have a fixed layout; greetings and diagnostics, which are rare, are
JSON. All times are of the machine's monotonic clock, which its processes share, s. Joints are in canonical order.
"""

import json
import struct
from typing import Any, Dict, NamedTuple, Optional, Tuple

JOINTS = 18
LEGS = 12
"""Joints that are legs, the first ones."""
VERSION = 2

HELLO, READY, ERROR, STATE, TARGETS, DIAGNOSTICS, STOP = range(1, 8)
"""HELLO, TARGETS and STOP go to the host, the others to the bridge."""

_MAGIC = b"GPH1"
_HEADER = struct.Struct("<4sHH")
_STATE = struct.Struct("<d" + "18d" * 3 + "4d3d3d3d" + "B13d" + "B18d" + "Bd" + "I" + "HHH")
_TARGETS = struct.Struct("<d" + "18d" * 5 + "Bd")
_MAX_TEXT = 4000

Row = Tuple[float, ...]


class LayoutError(ValueError):
    """Bytes that are no packet of this version; one line."""


class State(NamedTuple):
    """As `robot_bridge.types.RobotState`, in plain numbers."""

    stamp: float
    position: Row
    velocity: Row
    effort: Row
    orientation: Row
    angular_velocity: Row
    linear_acceleration: Row
    gripper: Row
    """Position, velocity, effort."""
    base: Optional[Row]
    """Position, orientation, linear and angular velocity: 13 numbers, None where not known."""
    temperature: Optional[Row]
    charge: Optional[float]
    faults: Tuple[str, ...] = ()
    wear: Tuple[str, ...] = ()
    request: Optional[Tuple[int, str]] = None


class Targets(NamedTuple):
    """As `robot_bridge.types.JointTargets`, in plain numbers."""

    sent: float
    position: Row
    velocity: Row
    effort: Row
    kp: Row
    kd: Row
    gripper: Optional[float]

    @property
    def holds_legs(self) -> bool:
        """Whether a leg is position-controlled: more than damping."""
        return any(gain != 0.0 for gain in self.kp[:LEGS]) or any(effort != 0.0 for effort in self.effort[:LEGS])


def pack(kind: int, body: bytes = b"") -> bytes:
    """Return a packet."""
    return _HEADER.pack(_MAGIC, VERSION, kind) + body


def unpack(packet: bytes) -> Tuple[int, bytes]:
    """Return kind and body of a packet. Raises LayoutError."""
    if len(packet) < _HEADER.size:
        raise LayoutError("a packet of {} bytes is too short".format(len(packet)))
    magic, version, kind = _HEADER.unpack_from(packet)
    if magic != _MAGIC or version != VERSION:
        raise LayoutError("a packet of another program or version (mine is {})".format(VERSION))
    return kind, packet[_HEADER.size :]


def pack_json(kind: int, value: Dict[str, Any]) -> bytes:
    """Return a packet with a JSON body."""
    return pack(kind, json.dumps(value).encode("utf-8"))


def unpack_json(body: bytes) -> Dict[str, Any]:
    """Return the body of such a packet. Raises LayoutError."""
    try:
        value = json.loads(body.decode("utf-8"))
    except ValueError as error:
        raise LayoutError("a packet is no JSON: {}".format(error)) from None
    if not isinstance(value, dict):
        raise LayoutError("a packet is no JSON object")
    return value


def pack_text(kind: int, text: str) -> bytes:
    """Return a packet with one line of text."""
    return pack(kind, " ".join(text.split()).encode("utf-8")[:_MAX_TEXT])


def unpack_text(body: bytes) -> str:
    """Return the text of such a packet."""
    return body.decode("utf-8", "replace")


def _lines(lines: Tuple[str, ...]) -> bytes:
    return "\n".join(lines).encode("utf-8")[:_MAX_TEXT]


def pack_state(state: State) -> bytes:
    """Return a STATE packet."""
    none = (0.0,) * JOINTS
    faults, wear = _lines(state.faults), _lines(state.wear)
    number, name = state.request or (0, "")
    request = name.encode("utf-8")[:_MAX_TEXT]
    body = _STATE.pack(
        state.stamp,
        *state.position,
        *state.velocity,
        *state.effort,
        *state.orientation,
        *state.angular_velocity,
        *state.linear_acceleration,
        *state.gripper,
        state.base is not None,
        *(state.base or none[:13]),
        state.temperature is not None,
        *(state.temperature or none),
        state.charge is not None,
        state.charge or 0.0,
        number,
        len(faults),
        len(wear),
        len(request)
    )  # fmt: skip
    return pack(STATE, body + faults + wear + request)


def unpack_state(body: bytes) -> State:
    """Return the state of a STATE packet. Raises LayoutError."""
    if len(body) < _STATE.size:
        raise LayoutError("a state of {} bytes is too short".format(len(body)))
    v = _STATE.unpack_from(body)
    sizes = v[-3:]
    text = body[_STATE.size :]
    if len(text) != sum(sizes):
        raise LayoutError("a state with {} bytes of text instead of {}".format(len(text), sum(sizes)))
    faults = text[: sizes[0]].decode("utf-8", "replace")
    wear = text[sizes[0] : sizes[0] + sizes[1]].decode("utf-8", "replace")
    request = text[sizes[0] + sizes[1] :].decode("utf-8", "replace")
    return State(
        v[0], v[1:19], v[19:37], v[37:55], v[55:59], v[59:62], v[62:65], v[65:68], v[69:82] if v[68] else None,
        v[83:101] if v[82] else None, v[102] if v[101] else None,
        tuple(faults.split("\n")) if faults else (), tuple(wear.split("\n")) if wear else (),
        (v[103], request) if request else None,
    )  # fmt: skip


def pack_targets(targets: Targets) -> bytes:
    """Return a TARGETS packet."""
    body = _TARGETS.pack(
        targets.sent,
        *targets.position,
        *targets.velocity,
        *targets.effort,
        *targets.kp,
        *targets.kd,
        targets.gripper is not None,
        targets.gripper or 0.0
    )  # fmt: skip
    return pack(TARGETS, body)


def unpack_targets(body: bytes) -> Targets:
    """Return the targets of a TARGETS packet. Raises LayoutError."""
    if len(body) != _TARGETS.size:
        raise LayoutError("targets of {} bytes instead of {}".format(len(body), _TARGETS.size))
    v = _TARGETS.unpack(body)
    return Targets(v[0], v[1:19], v[19:37], v[37:55], v[55:73], v[73:91], v[92] if v[91] else None)
