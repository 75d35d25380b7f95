"""Run the benchmarks, all or some: `python -m benchmarks [name ...]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from . import (
    amp,
    aot,
    cem,
    closed_loop,
    control_loop,
    environment,
    odometry,
    operator_view,
    planner,
    policy,
    rollouts,
    router,
    stride_stops,
    velocity_commands,
)

BENCHMARKS: dict[str, Callable[[], Iterable[str]]] = {
    "policy": policy.run,
    "router": router.run,
    "environment": environment.run,
    "amp": amp.run,
    "closed_loop": closed_loop.run,
    "aot": aot.run,
    "planner": planner.run,
    "rollouts": rollouts.run,
    "cem": cem.run,
    "control_loop": control_loop.run,
    "odometry": odometry.run,
    "operator_view": operator_view.run,
    "stride_stops": stride_stops.run,
    "velocity_commands": velocity_commands.run,
}


def main(argv: list[str] | None = None) -> int:
    """Run the chosen benchmarks, all by default."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Timings, as ratios against a peer or a limit.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; all by default")
    names = parser.parse_args(argv).names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"benchmarks: unknown {unknown}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names:
        try:
            for line in BENCHMARKS[name]():
                print(line, flush=True)
        except RuntimeError as error:
            print(f"benchmarks {name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
