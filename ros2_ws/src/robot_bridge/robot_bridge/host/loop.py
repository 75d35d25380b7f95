"""The loop of a plant host: read, decide, write, report, on absolute deadlines. Runs on Python 3.6."""

import time
from typing import Any, Dict, Optional

from . import layout
from .channel import Channel, Closed
from .watchdog import Limits, Watchdog

_DIAGNOSTICS_PERIOD = 0.5
_WINDOW = 2048


class HostedDevice:
    """What the loop needs of a plant, in the terms of `layout`. Errors are exceptions whose text is one line."""

    def start(self) -> None:
        """Connect; no motion."""
        raise NotImplementedError

    def stop(self) -> None:
        """Leave the robot in a safe posture and release it."""
        raise NotImplementedError

    def rescue(self) -> None:
        """Find a robot that another host has left, damp it and release it."""
        self.start()
        self.stop()

    def read(self) -> Optional[layout.State]:
        """Return the newest state, the same object until the next; None before the first."""
        raise NotImplementedError

    def write(self, targets: layout.Targets) -> None:
        """Carry out targets."""
        raise NotImplementedError

    def damp(self) -> None:
        """Damp the legs, let the arm hold."""
        raise NotImplementedError

    def diagnostics(self) -> Dict[str, str]:
        """Return what a person may want to know."""
        raise NotImplementedError


class Intervals:
    """Percentiles of the time between turns."""

    def __init__(self) -> None:
        self._values = []  # type: list[float]
        self._next = 0
        self.worst = 0.0

    def add(self, seconds: float) -> None:
        """Add an interval, s."""
        self.worst = max(self.worst, seconds)
        if len(self._values) < _WINDOW:
            self._values.append(seconds)
        else:
            self._values[self._next] = seconds
            self._next = (self._next + 1) % _WINDOW

    def percentile(self, percent: float) -> float:
        """Return a percentile of the newest intervals, s."""
        if not self._values:
            return 0.0
        ordered = sorted(self._values)
        return ordered[min(int(percent / 100.0 * len(ordered)), len(ordered) - 1)]


class Loop:
    """Owns a device between `run` and its end.

    Args:
        device: the plant.
        channel: to the bridge.
        limits: of the watchdog.
        period: s of a turn.
    """

    def __init__(self, device: HostedDevice, channel: Channel, limits: Limits, period: float = 0.002) -> None:
        self.device, self.channel, self.period = device, channel, period
        self.watchdog = Watchdog(limits)
        self.intervals = Intervals()
        self.stopping = False
        """Set from outside, by a signal: the loop ends after its turn."""
        self.scheduling = "normal"
        """What the kernel granted."""
        self._targets = None  # type: Optional[layout.Targets]
        self._received = None  # type: Optional[float]
        self._sent_stamp = None  # type: Optional[float]
        self._reported = None  # type: Optional[str]
        self._diagnosed = 0.0
        self._skipped = 0
        self._bad_packets = 0

    def run(self) -> None:
        """Start the device, turn until the bridge asks to stop, ends or a signal comes, and stop the device."""
        try:
            self.device.start()
            self.channel.send(layout.pack_json(layout.READY, {"joints": layout.JOINTS}))
            self._turn_until_stopped()
        except Closed:
            pass
        finally:
            self.device.stop()

    def _turn_until_stopped(self) -> None:
        deadline = time.monotonic() + self.period
        before = time.monotonic()
        while not self.stopping:
            now = time.monotonic()
            if now < deadline:
                time.sleep(deadline - now)
                now = time.monotonic()
            late = int((now - deadline) / self.period)
            deadline += (1 + late) * self.period
            self._skipped += late
            self.intervals.add(now - before)
            before = now
            if not self._receive():
                return
            self._act()

    def _receive(self) -> bool:
        """Take the newest targets; False where the bridge asks to stop. Raises Closed."""
        newest = None  # type: Optional[bytes]
        for packet in self.channel.receive():
            try:
                kind, body = layout.unpack(packet)
            except layout.LayoutError:
                self._bad_packets += 1
                continue
            if kind == layout.STOP:
                return False
            if kind == layout.TARGETS:
                newest = body
        if newest is not None:
            try:
                self._targets = layout.unpack_targets(newest)
                self._received = time.monotonic()
            except layout.LayoutError:
                self._bad_packets += 1
        return True

    def _act(self) -> None:
        state = self.device.read()
        now = time.monotonic()
        targets = self._targets
        damps = self.watchdog.damps(
            None if self._received is None else now - self._received,
            targets is not None and targets.holds_legs,
            None if state is None else max(now - state.stamp, 0.0),
        )
        if damps or targets is None:
            self.device.damp()
        else:
            self.device.write(targets)
        if state is not None:
            self._report(state)
        if now - self._diagnosed > _DIAGNOSTICS_PERIOD:
            self._diagnosed = now
            self.channel.send(layout.pack_json(layout.DIAGNOSTICS, self._diagnostics()))

    def _report(self, state: layout.State) -> None:
        """Send a state once, and again when the watchdog has something new to say."""
        reason = self.watchdog.reason
        if self._targets is None:
            reason = None  # nobody expects targets before the bridge has seen a state
        if state.stamp == self._sent_stamp and reason == self._reported:
            return
        self._sent_stamp, self._reported = state.stamp, reason
        if reason is not None:
            state = state._replace(faults=("plant host damps: " + reason, *state.faults))
        self.channel.send(layout.pack_state(state))

    def _diagnostics(self) -> Dict[str, Any]:
        values = dict(self.device.diagnostics())
        values["host_interval_p50_ms"] = "{:.3f}".format(1e3 * self.intervals.percentile(50))
        values["host_interval_p99_ms"] = "{:.3f}".format(1e3 * self.intervals.percentile(99))
        values["host_interval_max_ms"] = "{:.3f}".format(1e3 * self.intervals.worst)
        values["host_scheduling"] = self.scheduling
        values["host_skipped"] = str(self._skipped)
        values["host_cpu_s"] = "{:.2f}".format(time.process_time())
        values["host_watchdog"] = self.watchdog.reason or "ok"
        values["host_watchdog_trips"] = str(self.watchdog.trips)
        values["host_bad_packets"] = str(self._bad_packets)
        values["host_dropped_states"] = str(self.channel.dropped)
        return values
