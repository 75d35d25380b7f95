"""Strict conversion of plain dictionaries (YAML, JSON) into dataclasses; every error is one line with a dotted path."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_KINDS: dict[type, tuple[str, tuple[type, ...]]] = {
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("a text", (str,)),
    bool: ("true or false", (bool,)),
}


class ConfigError(ValueError):
    """A configuration has an unknown key, a missing value or a value of the wrong kind; one line."""


def from_dict(kind: type[T], data: object, where: str = "") -> T:
    """Build the dataclass `kind` from a mapping.

    Numbers, texts, nested dataclasses, tuples, mappings and `X | None` are understood. In a mapping of dataclasses,
    entries that are null are left out: so an override takes one away.

    Args:
        kind: the dataclass.
        data: what YAML or JSON gave.
        where: path of `data` for the messages, such as `env`; empty at the top.

    Raises:
        ConfigError: unknown keys, missing values, wrong kinds, or what the dataclass itself refuses.
    """
    prefix, title = (f"{where}.", f"{where}: ") if where else ("", "")
    if not isinstance(data, Mapping):
        raise ConfigError(f"{title}wanted a group of settings, got {data!r}")
    known = {field.name: field for field in fields(kind) if field.init}  # type: ignore[arg-type]
    unknown = [str(key) for key in data if key not in known]
    if unknown:
        raise ConfigError(f"{title}unknown setting {', '.join(unknown)}; known: {', '.join(known)}")
    missing = [
        name
        for name, field in known.items()
        if name not in data and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise ConfigError(f"{title}{', '.join(missing)} missing")
    hints = get_type_hints(kind)
    values = {name: _convert(hints[name], value, f"{prefix}{name}") for name, value in data.items()}
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{title}{error}") from error


def _convert(hint: Any, value: object, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _convert_union(hint, value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return from_dict(hint, value, where)
    if hint in _KINDS:
        return _convert_plain(hint, value, where)
    if origin is tuple:
        return _convert_tuple(get_args(hint), value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _convert_mapping(get_args(hint)[1], value, where)
    return value


def _convert_union(hint: Any, value: object, where: str) -> Any:
    if value is None and type(None) in get_args(hint):
        return None
    choices = [choice for choice in get_args(hint) if choice is not type(None)]
    for choice in choices[:-1]:
        try:
            return _convert(choice, value, where)
        except ConfigError:
            continue
    return _convert(choices[-1], value, where)


def _convert_plain(hint: type, value: object, where: str) -> Any:
    wanted, kinds = _KINDS[hint]
    if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where}: wanted {wanted}, got {value!r}")
    return float(value) if hint is float else value  # type: ignore[arg-type]


def _convert_tuple(args: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    open_ended = len(args) == 2 and args[1] is Ellipsis
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigError(f"{where}: wanted a list, got {value!r}")
    if not open_ended and len(value) != len(args):
        raise ConfigError(f"{where}: wanted {len(args)} entries, got {list(value)!r}")
    hints = [args[0]] * len(value) if open_ended else args
    return tuple(_convert(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(hints, value, strict=True)))


def _convert_mapping(hint: Any, value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: wanted a group of settings, got {value!r}")
    kept = {str(key): item for key, item in value.items() if item is not None or not is_dataclass(hint)}
    return {key: _convert(hint, item, f"{where}.{key}") for key, item in kept.items()}
