"""`python -m robot_bridge.host <fd>`: a plant host, started by the bridge. Runs on Python 3.6.

The first packet says which device to make. A device is a `HostedDevice` class "module:Class", made with its options as
keyword arguments, or any plant class of this project, by way of `local_plant`.
"""

import importlib
import logging
import signal
import socket
import sys
from typing import Any

from . import layout
from .channel import Channel, Closed
from .loop import HostedDevice, Loop
from .realtime import make_punctual
from .watchdog import Limits

_HELLO_TIME = 30.0


def make_device(entry: str, options: Any) -> HostedDevice:
    """Return the device of an entry "module:Class". Raises what that raises; ValueError for a bad entry."""
    module_name, _, class_name = entry.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError('plant "{}": {}'.format(entry, error)) from None
    if isinstance(found, type) and issubclass(found, HostedDevice):
        return found(**options)
    from .local_plant import LocalPlant

    return LocalPlant(found, options)


def _hello(channel: Channel) -> Any:
    if not channel.wait(_HELLO_TIME):
        raise ValueError("no greeting from the bridge")
    kind, body = layout.unpack(channel.receive()[0])
    if kind != layout.HELLO:
        raise ValueError("the bridge did not greet")
    return layout.unpack_json(body)


def main(descriptor: int) -> int:
    """Run the host on an inherited socket. Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] plant host: %(message)s", stream=sys.stderr)
    channel = Channel(socket.socket(fileno=descriptor))
    loop = None
    stopped = []

    def stop(number: int, frame: Any) -> None:
        stopped.append(number)
        if loop is not None:
            loop.stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        hello = _hello(channel)
        device = make_device(str(hello["entry"]), dict(hello["options"]))
        if hello.get("rescue"):
            device.rescue()
            return 0
        limits = Limits(**{name: float(value) for name, value in hello["limits"].items()})
        loop = Loop(device, channel, limits, float(hello["period"]))
        if not stopped:
            loop.scheduling = make_punctual()
            loop.run()
        return 0
    except Closed:
        return 0
    except Exception as error:  # whatever a driver raises has to reach the person, in one line
        line = " ".join(str(error).split()) or type(error).__name__
        try:
            channel.send(layout.pack_text(layout.ERROR, line))
        except Closed:
            sys.stderr.write("plant host: " + line + "\n")
        return 1
    finally:
        channel.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
