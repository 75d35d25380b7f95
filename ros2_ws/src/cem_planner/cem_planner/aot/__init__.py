"""Ahead-of-time compilation of JAX functions: compiled once, loaded in later starts after checks. No robot facts.

`build_or_load` is all that callers need, with a fingerprint of `take_fingerprint`. Importing this package does not
import JAX.
"""

from .errors import AotError
from .fingerprint import Fingerprint, difference, take_fingerprint
from .ladder import Compiled, build_or_load

__all__ = ["AotError", "Compiled", "Fingerprint", "build_or_load", "difference", "take_fingerprint"]
