"""`python -m go2_piper_driver.emulation`: an emulated Go2 with Piper, until a signal."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from robot_bridge.host.realtime import make_punctual
from robot_bridge.plant import PlantError

from .robot import EmulatedRobot, EmulationOptions

READY = "emulated robot is up"
"""Printed once the robot can be talked to."""
LIMITS = "commands beyond a limit: "
"""Begins the last line."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    default = EmulationOptions()
    parser = argparse.ArgumentParser(prog="emulation", description="An emulated Go2 with Piper, on the real protocols.")
    parser.add_argument("--domain", type=int, default=default.domain, help="DDS domain")
    parser.add_argument("--interface", default=default.interface, help="network interface of DDS")
    parser.add_argument("--can", default=default.can, help="loopback CAN channel of the arm; empty for a loose arm")
    parser.add_argument("--loss", default=default.loss, help="legs without commands: hold, damp or limp")
    parser.add_argument("--mode", default=default.mode, help="motion mode at the start; empty for released")
    parser.add_argument("--charge", type=float, default=default.charge, help="of the battery, 0 to 1")
    parser.add_argument("--firmware", default=default.firmware, help="of the arm")
    parser.add_argument("--control", default=default.control, help="path of the socket for faults and the truth")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulated robot.

    Args:
        arguments: of the command line, None for those of this process; what ROS adds is ignored.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--ros-args" in given:
        given = given[: given.index("--ros-args")]
    options = EmulationOptions(**vars(build_parser().parse_args(given)))
    stopping = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        robot = EmulatedRobot(options)
    except (PlantError, ValueError, OSError) as error:
        print(f"emulation: {error}", file=sys.stderr)
        return 1
    make_punctual()  # a real robot would not share this machine's processors
    print(READY, flush=True)
    try:
        while not stopping:
            robot.step()
    finally:
        print(f"{LIMITS}{'; '.join(robot.broken_limits()) or 'none'}", flush=True)
        robot.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
