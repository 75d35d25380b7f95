"""The Go2 through unitree_sdk2py, unmodified.

What the SDK lacks is added around it: a look at other writers, and an answer where its clients print or raise.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections import deque
from typing import Any

from cyclonedds.domain import DomainParticipant
from robot_bridge.plant import PlantError

from . import messages, shim  # before any topic of the SDK
from .link import LOW_CMD, LOW_STATE
from .services import TIMEOUT
from .wire import Sample
from .writers import WriterWatch

_QUEUE = 16


def _sdk() -> tuple[Any, Any]:
    """Import the parts of the SDK that are used. Raises PlantError where it is incomplete."""
    try:
        from unitree_sdk2py.core import channel
        from unitree_sdk2py.idl.unitree_api.msg.dds_ import Request_, Response_
        from unitree_sdk2py.rpc.client import Client
    except ImportError as error:
        raise PlantError(
            f"unitree_sdk2py is not complete ({error}): install it from its repository, docs/hardware.md says how"
        ) from error
    shim.check_type_ids(messages.LowCmd_, messages.LowState_, Request_, Response_)
    return channel, Client


class SdkLink:
    """See `Go2Link`. The SDK can join one domain per process, once.

    Its channels take any message class; ours have the same types and bytes as its own, and cost a tenth.
    """

    name = "unitree_sdk2py"

    def __init__(self, domain: int, interface: str) -> None:
        self._channel, self._client_type = _sdk()
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):  # it prints its reasons
                self._channel.ChannelFactoryInitialize(domain, interface)
        except Exception as error:  # a plain Exception is what it raises
            reason = " ".join(said.getvalue().split()) or error
            raise PlantError(f"unitree_sdk2py cannot join DDS domain {domain} on {interface}: {reason}") from error
        self._participant = DomainParticipant(domain)
        self._watch = WriterWatch(self._participant)
        self._arrived: deque[tuple[Sample, float]] = deque(maxlen=_QUEUE)
        self._states = self._channel.ChannelSubscriber(LOW_STATE, messages.LowState_)
        self._states.Init(lambda state: self._arrived.append((state, time.monotonic())), _QUEUE)
        self._publisher: Any = None
        self._clients: dict[str, Any] = {}

    def new_command(self) -> Any:
        """See `Go2Link`."""
        return messages.LowCmd_()

    def take_states(self) -> list[tuple[Sample, float]]:
        """See `Go2Link`."""
        taken = []
        while self._arrived:
            taken.append(self._arrived.popleft())
        return taken

    def advertise(self) -> None:
        """See `Go2Link`. Takes 0.2 s."""
        if self._publisher is None:
            self._publisher = self._channel.ChannelPublisher(LOW_CMD, messages.LowCmd_)
            self._publisher.Init()

    def write(self, command: Any) -> bool:
        """See `Go2Link`."""
        try:
            return bool(self._publisher.Write(command))
        except Exception:  # its handler of errors has an error of its own
            return False

    def other_writers(self) -> int:
        """See `Go2Link`."""
        return self._watch.count() - (self._publisher is not None)

    def call(self, service: str, api_id: int, parameter: str, timeout: float) -> tuple[int, str]:
        """See `Go2Link`."""
        if service not in self._clients:
            client = self._client_type(service, False)  # takes 0.7 s
            self._clients[service] = client
        client = self._clients[service]
        client._RegistApi(api_id, 0)
        client.SetTimeout(timeout)
        try:
            code, data = client._Call(api_id, parameter)
        except Exception:
            return TIMEOUT, ""
        return int(code), data if isinstance(data, str) else ""

    def close(self) -> None:
        """See `Go2Link`. Nothing is closed: the SDK's reader complains of every state that comes after that."""
