"""What the Go2's own reports mean for the safety gate: faults that damp, wear that makes it sit, warnings."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from go2_piper_description.joints import LEG_JOINT_NAMES

from .state import Go2State


@dataclass(frozen=True)
class Go2Guards:
    """Thresholds; none is from a data sheet. Hot motors and an empty battery are the gate's own thresholds."""

    warm: float = 70.0
    """degrees C of a motor, warning."""
    low_charge: float = 0.20
    """0 to 1, warning."""
    weak_cell: float = 3.3
    """V, warning; units of the battery's report are assumed."""
    empty_cell: float = 3.0
    """V, sit down."""
    lost_rate: float = 20.0
    """Lost motor packets per s, damp."""
    low_voltage: float = 20.0
    """V on the bus, sit down; the battery has 24 to 33 V."""
    gap_rate: float = 50.0
    """Missing states per s, warning."""


class Watch:
    """Follows the counters of successive states."""

    def __init__(self, guards: Go2Guards | None = None) -> None:
        self.guards = guards or Go2Guards()
        self.tick_gaps = 0
        """States that never came, by the robot's clock."""
        self.lost = 0
        """Packets that the motors have lost since power-on."""
        self._tick: int | None = None
        self._recent: deque[tuple[float, int, int]] = deque()

    def add(self, stamp: float, tick: int, lost: int) -> None:
        """Take in the next state: when it came (s), the robot's clock (ms), packets lost by the motors so far."""
        if self._tick is not None:
            step = tick - self._tick
            if 2 < step < 10_000:  # the period is 2 ms; a larger jump is a restart of the robot
                self.tick_gaps += (step - 1) // 2
        self._tick, self.lost = tick, lost
        self._recent.append((stamp, lost, self.tick_gaps))
        while stamp - self._recent[0][0] > 1.0:
            self._recent.popleft()

    def _rates(self) -> tuple[float, float]:
        """Return lost packets and missing states within the last second."""
        if not self._recent:
            return 0.0, 0.0
        return self._recent[-1][1] - self._recent[0][1], self._recent[-1][2] - self._recent[0][2]

    def faults(self, state: Go2State) -> tuple[str, ...]:
        """Return why the robot must be damped."""
        lost, _ = self._rates()
        return (f"leg motors lose {lost:.0f} packets/s",) if lost > self.guards.lost_rate else ()

    def wear(self, state: Go2State) -> tuple[str, ...]:
        """Return why the robot should sit down."""
        found = []
        if 0.0 < state.voltage < self.guards.low_voltage:
            found.append(f"bus voltage is {state.voltage:.1f} V")
        if state.weakest_cell < self.guards.empty_cell:
            found.append(f"a battery cell is at {state.weakest_cell:.2f} V")
        return tuple(found)

    def warnings(self, state: Go2State) -> tuple[str, ...]:
        """Return what a person should know."""
        found = []
        hottest = int(state.temperature.argmax())
        if state.temperature[hottest] > self.guards.warm:
            found.append(f"{LEG_JOINT_NAMES[hottest]} is at {state.temperature[hottest]:.0f} C")
        if state.charge < self.guards.low_charge:
            found.append(f"battery at {100 * state.charge:.0f} %")
        if state.weakest_cell < self.guards.weak_cell:
            found.append(f"a battery cell is at {state.weakest_cell:.2f} V")
        if (gaps := self._rates()[1]) > self.guards.gap_rate:
            found.append(f"{gaps:.0f} states/s are missing")
        return tuple(found)
