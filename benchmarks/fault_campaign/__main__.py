"""`python -m benchmarks.fault_campaign`."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .faults import FAULTS, MODES, End, Fault
from .rig import Rig, RigError

PATIENCE = {End.DAMPED: 10.0, End.DOWN: 25.0, End.SILENT: 10.0, End.TOLERATED: 1.0}
"""s within which a trial must have ended safely, on any machine; the times themselves are the result."""
_SILENCE = 0.3
TRIALS = "trials.jsonl"


@dataclass(frozen=True)
class Trial:
    """What one fault did."""

    fault: str
    mode: str
    seed: int
    seconds: float | None
    """To the safe state; None: not reached."""
    broken: tuple[str, ...]
    """What reached the hardware beyond a limit."""

    @property
    def safe(self) -> bool:
        """Whether it ended as it must."""
        return self.seconds is not None and not self.broken


def _strike(rig: Rig, fault: Fault) -> None:
    if fault.kill:
        rig.kill(fault.kill)
    if fault.commands_stop:
        rig.gate(do="commands", on=False)
    for name, value in fault.settings:
        rig.fault(name, value)


def _has_ended(rig: Rig, end: End) -> bool:
    go2 = rig.go2()
    if end is End.SILENT:
        if go2["mode"] == "":
            return False
        time.sleep(_SILENCE)
        return bool(rig.go2()["counts"]["commands"] == go2["counts"]["commands"])
    return bool(go2["max_kp"] == 0.0)


def run_trial(rig: Rig, fault: Fault, mode: str, seed: int) -> Trial:
    """Bring the robot to a mode, let the fault happen at a random moment, and watch. Raises RigError."""
    rig.bring_to(mode)
    time.sleep(random.Random(seed).uniform(0.0, 0.3))
    before = set(rig.broken_limits())
    _strike(rig, fault)
    end = fault.end_in(mode)
    if end is End.TOLERATED:
        begun = time.monotonic()
        time.sleep(PATIENCE[end])
        seconds: float | None = time.monotonic() - begun
        if rig.mode() not in (mode, "DAMPING", "PASSIVE", "SITTING", "HOLD"):
            seconds = None
    else:
        seconds = rig.until(lambda: _has_ended(rig, end), PATIENCE[end])
    return Trial(fault.name, mode, seed, seconds, tuple(sorted(set(rig.broken_limits()) - before)))


def report(trials: Iterable[Trial]) -> list[str]:
    """Return the table as lines of Markdown."""
    faults = {fault.name: fault for fault in FAULTS}
    lines = ["| fault | ends | trials | safe | p50 s | p99 s | max s |", "|---|---|---|---|---|---|---|"]
    trials = list(trials)
    for name in dict.fromkeys(trial.fault for trial in trials):
        mine = [trial for trial in trials if trial.fault == name]
        fault = faults[name]
        counted = [mode for mode in MODES if mode != "PASSIVE" and fault.end_in(mode) is not End.TOLERATED]
        times = [trial.seconds for trial in mine if trial.seconds is not None and trial.mode in counted]
        safe = sum(trial.safe for trial in mine)
        figures = "| - | - | - |"
        if times:
            p50, p99, worst = np.percentile(times, [50, 99, 100])
            figures = f"| {p50:.3f} | {p99:.3f} | {worst:.3f} |"
        ends = fault.end.value + (f"; goes on in {', '.join(fault.indifferent)}" if fault.indifferent else "")
        lines.append(f"| {name} | {ends} | {len(mine)} | {safe} {figures}")
    return lines


def load_trials(path: Path) -> list[Trial]:
    """Return the trials of an earlier campaign, none where there is no file. Raises ValueError, one line."""
    try:
        told = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
        trials = [Trial(**{**one, "broken": tuple(one["broken"])}) for one in told]
        if not {trial.fault for trial in trials} <= {fault.name for fault in FAULTS}:
            raise ValueError
        return trials
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path} holds no trials: give another --out") from None


def main() -> int:
    """Run the campaign, or what is left of it; exit status 0 if every trial was made and ended safely."""
    parser = argparse.ArgumentParser(prog="benchmarks.fault_campaign", description=__doc__)
    parser.add_argument("--repeats", type=int, default=1, help="of each fault in each mode")
    parser.add_argument("--faults", default="", help="part of a fault's name; empty for all")
    parser.add_argument("--modes", default=",".join(MODES), help="modes of the gate, separated by commas")
    parser.add_argument(
        "--loss",
        default="damp",
        help="emulated legs without commands: hold, damp or limp; each wants a folder of its own",
    )
    parser.add_argument("--domain", type=int, default=100 + os.getpid() % 100, help="DDS domain")
    parser.add_argument(
        "--out",
        default="runs/fault_campaign",
        help="folder for trials and report; trials that are there are not repeated",
    )
    options = parser.parse_args()
    folder = Path(options.out).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        trials = load_trials(folder / TRIALS)
    except ValueError as error:
        print(f"fault_campaign: {error}", file=sys.stderr)
        return 2
    done = {(trial.fault, trial.mode, trial.seed) for trial in trials}
    chosen = [fault for fault in FAULTS if options.faults in fault.name]
    plan = [(fault, mode, seed) for seed in range(options.repeats) for fault in chosen
            for mode in options.modes.split(",") if (fault.name, mode, seed) not in done]  # fmt: skip
    left = len(plan)
    print(f"{left} trials to do, {len(trials)} done", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    rig = Rig(folder, options.domain, options.loss)
    try:
        for count, (fault, mode, seed) in enumerate(plan, start=1):
            try:
                trial = run_trial(rig, fault, mode, seed)
            except (RigError, OSError, ValueError) as error:
                print(f"{fault.name} in {mode}: not tried ({error}); starting anew", flush=True)
                rig.close()
                rig = Rig(folder, options.domain, options.loss)
                continue
            trials.append(trial)
            left -= 1
            with (folder / TRIALS).open("a") as file:
                file.write(json.dumps(asdict(trial)) + "\n")
            took = "NOT SAFE" if trial.seconds is None else f"{trial.seconds:.3f} s"
            print(f"{count}/{len(plan)} {fault.name} in {mode}: {took} {'; '.join(trial.broken)}", flush=True)
    except KeyboardInterrupt:
        print("stopped")
    finally:
        rig.close()
        (folder / "report.md").write_text("\n".join(report(trials)) + "\n")
    print("\n".join(report(trials)))
    if left:
        print(f"{left} trials were not made: the same command goes on")
    return 0 if trials and not left and all(trial.safe for trial in trials) else 1


if __name__ == "__main__":
    sys.exit(main())
