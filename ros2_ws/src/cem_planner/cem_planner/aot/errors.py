"""Errors of the ahead-of-time layer; each has one line for people."""

from __future__ import annotations


class AotError(RuntimeError):
    """Nothing can be compiled or loaded: not even the JIT rung works, or the call of this layer is wrong."""


class StoreError(RuntimeError):
    """What is stored, or the place where it would be stored, cannot be used; the ladder goes on without it."""


def one_line(error: BaseException) -> str:
    """Return the error's type and the first line of its text."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
