"""Faults of the emulated arm, set while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class PiperFaults:
    """What is wrong with the arm or its bus; nothing by default. Any thread may change it."""

    # on the wire; probabilities are per cycle of 5 ms or per frame
    lost: float = 0.0
    """Probability that a feedback frame is lost."""
    duplicated: float = 0.0
    """Probability that a feedback frame comes twice."""
    torn: float = 0.0
    """Probability that the three joint frames of a cycle are mixed with others, out of order or incomplete."""
    late: float = 0.0
    """s by which feedback is delayed at most; each cycle draws its delay."""
    garbage: float = 0.0
    """Probability that a cycle is followed by frames with random ids and payloads."""
    silent: bool = False
    """The cable is out: nothing arrives in either direction."""
    slow_lost: bool = False
    """Temperatures, voltages and enabled bits (0x261 to 0x266) do not arrive."""
    bus_down: bool = False
    """The CAN device of the host is down, as after bus-off without restart."""
    rival: bool = False
    """Another host sends joint targets."""

    # in the arm
    unpowered: bool = False
    """The controller answers, the motors have no supply: all feedback is zero."""
    estop: bool = False
    """Emergency stop pressed at the arm."""
    teaching: bool = False
    """Somebody pressed the teach button."""
    arm_status: int = 0
    """Index into `frames.ARM_STATUS`."""
    errors: int = 0
    """Error bits of the status frame: high byte joint limits, low byte joint communication."""
    motor_bits: dict[int, int] = field(default_factory=dict)
    """Fault bits by motor 1 to 6."""
    disabled: frozenset[int] = frozenset()
    """Motors 1 to 6 that lose their power."""
    motor_temperature: float = 35.0
    """degrees C."""
    bus_voltage: float = 24.0
    """V."""
    gripper_bits: int = 0
    gripper_not_homed: bool = False
    firmware: str | None = None
    """Instead of the configured one."""

    def clear(self) -> None:
        """Make all well again."""
        for name, value in vars(PiperFaults()).items():
            setattr(self, name, value)

    def set(self, name: str, value: Any) -> None:
        """Set one fault by name, as JSON brings it. Raises ValueError, in one line, for a wrong name or value."""
        known = vars(PiperFaults())
        if name not in known:
            raise ValueError(f"no fault {name} of the arm: there are {', '.join(known)}")
        try:
            setattr(self, name, _like(known[name], value))
        except (TypeError, ValueError, AttributeError):
            raise ValueError(f"fault {name}: {value!r} does not fit, it is {known[name]!r} by default") from None


def _like(default: Any, value: Any) -> Any:
    """Return the value in the type of the default. Raises TypeError, ValueError or AttributeError."""
    if isinstance(default, bool) or isinstance(value, bool):
        if not (isinstance(default, bool) and isinstance(value, bool)):
            raise TypeError
        return value
    if isinstance(default, dict):
        return {int(motor): int(bits) for motor, bits in value.items()}
    if isinstance(default, frozenset):
        return frozenset(int(motor) for motor in value)
    if default is None:
        return None if value is None else str(value)
    if isinstance(value, str):
        raise TypeError
    return type(default)(value)
