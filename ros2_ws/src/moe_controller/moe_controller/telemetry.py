"""Numbers about the running controller for `/diagnostics`. ROS-free."""

from __future__ import annotations

from collections import Counter

from robot_bridge.timing import LatencyTracker


class Telemetry:
    """Counts and times the control steps."""

    def __init__(self) -> None:
        self.inference = LatencyTracker()
        """Wall time of a control step, s."""
        self.counts: Counter[str] = Counter()
        """Of "commands", "deadline_misses", "faults", "bad_states", "state_losses", "refused_goals"."""
        self.problem = ""
        """Why the last control step gave no command; empty while it gives them."""
        self.last_problem = ""
        self._stamps: tuple[float, float, int] | None = None

    def stepped(self, stamp: float, duration: float) -> None:
        """Note a control step on a state of `stamp`, s, that took `duration`, s."""
        self.inference.add(duration)
        self.counts["commands"] += 1
        self.problem = ""
        first, last, count = self._stamps or (stamp, stamp, 0)
        self._stamps = (first, stamp, count + 1) if stamp >= last else (stamp, stamp, 1)

    def failed(self, kind: str, problem: str) -> None:
        """Note that there is no command, and why."""
        self.counts[kind] += 1
        self.problem = self.last_problem = problem

    def rate(self) -> float:
        """Return the control steps per second of state time since the last call, Hz."""
        first, last, count = self._stamps or (0.0, 0.0, 0)
        self._stamps = (last, last, 1) if count else None
        return (count - 1) / (last - first) if last > first else 0.0

    def values(self) -> dict[str, str]:
        """Return keys and values for a diagnostic status. Begins a new window for the rate."""
        return {
            "policy_rate_hz": f"{self.rate():.2f}",
            "deadline_misses": str(self.counts["deadline_misses"]),
            "inference_p50_ms": f"{1e3 * self.inference.p50:.3f}",
            "inference_p99_ms": f"{1e3 * self.inference.p99:.3f}",
            "commands": str(self.counts["commands"]),
            "faults": str(self.counts["faults"]),
            "bad_states": str(self.counts["bad_states"]),
            "state_losses": str(self.counts["state_losses"]),
            "refused_goals": str(self.counts["refused_goals"]),
            "last_problem": self.last_problem or "none",
        }
