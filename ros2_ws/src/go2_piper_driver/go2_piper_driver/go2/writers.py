"""Who else writes `rt/lowcmd`: two writers fight over the motors."""

from __future__ import annotations

from typing import Any

from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsPublication
from cyclonedds.core import InstanceState

from .link import LOW_CMD


class WriterWatch:
    """Counts the writers of `rt/lowcmd` in a domain, this process's own included."""

    def __init__(self, participant: Any) -> None:
        self._reader = BuiltinDataReader(participant, BuiltinTopicDcpsPublication)
        self._alive: set[int] = set()

    def count(self) -> int:
        """Return how many there are now. One that is killed counts until its lease ends, after 10 s."""
        while changes := self._reader.take(32):
            for endpoint in changes:
                info = endpoint.sample_info
                if info.instance_state != InstanceState.Alive:
                    self._alive.discard(info.instance_handle)
                elif getattr(endpoint, "topic_name", None) == LOW_CMD:
                    self._alive.add(info.instance_handle)
        return len(self._alive)
