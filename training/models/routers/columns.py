"""Where observation terms lie in a flat observation, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moe_controller.contract import ObservationTerm


def find_term(terms: Sequence[ObservationTerm], name: str) -> tuple[ObservationTerm, slice]:
    """Return a term and its columns, all of its history included.

    Raises:
        ValueError: no such term.
    """
    start = 0
    for term in terms:
        end = start + term.size * term.history
        if term.name == name:
            return term, slice(start, end)
        start = end
    raise ValueError(f"the observation has no term '{name}'; it has {', '.join(term.name for term in terms)}")


@dataclass(frozen=True)
class TokenLayout:
    """How an attention router's columns become tokens: history term after term, then the path.

    Each history term is given for all steps, oldest first, so one token gathers its share of every term.
    """

    history_sizes: tuple[int, ...]
    """Numbers per step of each history term."""
    history: int
    """Steps (tokens)."""
    path_size: int
    """Numbers per path token."""
    path: int
    """Path tokens."""

    @classmethod
    def from_terms(cls, terms: Sequence[ObservationTerm]) -> TokenLayout:
        """Read the layout off the router's terms: those with a history, then one with future times.

        Raises:
            ValueError: another order, or histories of different lengths.
        """
        *past, path = terms or (None,)
        lengths = {term.history for term in past}
        if path is None or len(lengths) != 1 or path.history != 1 or not path.times:
            raise ValueError(
                "an attention router needs terms with one common history and then one with future times, "
                f"got {', '.join(term.name for term in terms) or 'none'}"
            )
        count = len(path.times)
        return cls(tuple(term.size for term in past), lengths.pop(), path.size // count, count)

    @property
    def history_size(self) -> int:
        """Numbers per history token."""
        return sum(self.history_sizes)

    @property
    def size(self) -> int:
        """Columns in all."""
        return self.history * self.history_size + self.path * self.path_size
