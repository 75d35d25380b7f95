"""Definitions of message types as MCAP files carry them. Needs only the share folders of the packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_SEPARATOR = "=" * 80
_PRIMITIVES = frozenset(
    [
        "bool",
        "byte",
        "char",
        "float32",
        "float64",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "string",
        "wstring",
    ]
)

Lookup = Callable[[str], str]
"""Returns the text of one .msg file by its name, such as "sensor_msgs/msg/Imu"."""


class DefinitionError(ValueError):
    """A message type has no definition here; one line."""


def installed_definition(kind: str) -> str:
    """Return the .msg text of an installed type. Raises DefinitionError."""
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    package, _, name = kind.split("/")
    try:
        return (Path(get_package_share_directory(package)) / "msg" / f"{name}.msg").read_text()
    except (PackageNotFoundError, LookupError, OSError):
        raise DefinitionError(f"type {kind} has no .msg file here: install ros-jazzy-{package}") from None


def full_definition(kind: str, lookup: Lookup = installed_definition) -> str:
    """Return a type's definition followed by those of all types in it: schema encoding `ros2msg` of MCAP.

    Args:
        kind: such as "sensor_msgs/msg/Imu".
        lookup: where the texts come from.

    Raises:
        DefinitionError: a type is not installed.
    """
    texts = {kind: lookup(kind)}
    waiting = [kind]
    while waiting:
        package = waiting[0].split("/")[0]
        for used in _used_types(texts[waiting.pop(0)], package):
            if used not in texts:
                texts[used] = lookup(used)
                waiting.append(used)
    first, *others = texts
    parts = [f"{_SEPARATOR}\nMSG: {name.replace('/msg/', '/')}\n{texts[name]}" for name in others]
    return "\n".join([texts[first], *parts])


def _used_types(text: str, package: str) -> list[str]:
    used = []
    for line in text.splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) < 2:
            continue
        name = fields[0].partition("[")[0].partition("<=")[0]
        if name in _PRIMITIVES:
            continue
        given, _, last = name.rpartition("/")
        used.append(f"{given.removesuffix('/msg') or package}/msg/{last}")
    return used
