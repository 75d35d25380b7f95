"""How the nodes of a graph without `ros2 launch` reach each other: UDP on the loopback address.

`ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST` would do, but rmw_fastrtps then adds shared memory whatever
`FASTDDS_BUILTIN_TRANSPORTS` says. There a publisher waits for a lock that a reader of low priority may hold, and
killed nodes leave files behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PROFILE = Path(__file__).parent / "loopback.xml"
_OWN_WISHES = (
    "ROS_AUTOMATIC_DISCOVERY_RANGE",
    "ROS_STATIC_PEERS",
    "ROS_LOCALHOST_ONLY",
    "FASTDDS_DEFAULT_PROFILES_FILE",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
    "FASTDDS_BUILTIN_TRANSPORTS",
)
"""Who sets one of these has plans for the network."""


def loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to an environment so that its nodes stay on this machine; nothing where it has own wishes."""
    if any(name in environment for name in _OWN_WISHES):
        return {}
    if environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp":
        return {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    # SYSTEM_DEFAULT leaves discovery to the profile; Fast DDS 2 reads the name with RTPS, later ones the other
    return {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SYSTEM_DEFAULT",
        "FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE),
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(PROFILE),
    }
