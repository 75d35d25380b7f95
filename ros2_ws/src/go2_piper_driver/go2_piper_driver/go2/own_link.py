"""The Go2 over cyclonedds with our own message classes, where unitree_sdk2py is not installed."""

from __future__ import annotations

import time
from typing import Any

from cyclonedds.core import DDSException
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.internal import InvalidSample
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from robot_bridge.plant import PlantError

from . import messages, shim
from .link import LOW_CMD, LOW_STATE
from .services import TIMEOUT, request_topic, response_topic
from .wire import Sample, WireError
from .writers import WriterWatch

QUEUE = 16
"""Samples kept between two looks: 32 ms of states."""
_POLL = 0.002


def domain_config(interface: str) -> str:
    """Return the cyclonedds configuration that uses one network interface."""
    return (
        f'<CycloneDDS><Domain Id="any"><General><Interfaces><NetworkInterface name="{interface}"/></Interfaces>'
        "</General></Domain></CycloneDDS>"
    )


def join_domain(domain: int, interface: str) -> tuple[Domain, DomainParticipant]:
    """Join a DDS domain. Raises PlantError, and TypeIdError where our types would not be the robot's."""
    shim.check_type_ids(messages.LowCmd_, messages.LowState_, messages.Request_, messages.Response_)
    try:
        return Domain(domain, domain_config(interface)), DomainParticipant(domain)
    except DDSException as error:
        raise PlantError(f"cannot join DDS domain {domain} on {interface}: {error}") from error


def take(reader: Any, count: int = QUEUE) -> list[Any]:
    """Return the valid samples that are there; samples that do not decode are left out."""
    try:
        return [sample for sample in reader.take(count) if not isinstance(sample, InvalidSample)]
    except WireError:  # a foreign sample; those behind it come next time
        return []
    except DDSException:
        return []


class OwnLink:
    """See `Go2Link`. States are polled, so no thread of DDS ever waits for the interpreter."""

    name = "our own messages on cyclonedds"

    def __init__(self, domain: int, interface: str) -> None:
        self._domain, self._participant = join_domain(domain, interface)
        state_topic = Topic(self._participant, LOW_STATE, messages.LowState_)
        self._states = DataReader(self._participant, state_topic, Qos(Policy.History.KeepLast(QUEUE)))
        self._watch = WriterWatch(self._participant)
        self._command_topic = Topic(self._participant, LOW_CMD, messages.LowCmd_)
        self._writer: Any = None
        self._clients: dict[str, tuple[Any, Any]] = {}

    def new_command(self) -> Any:
        """See `Go2Link`."""
        return messages.LowCmd_()

    def take_states(self) -> list[tuple[Sample, float]]:
        """See `Go2Link`."""
        now = time.monotonic()
        return [(sample, now) for sample in take(self._states)]

    def advertise(self) -> None:
        """See `Go2Link`."""
        if self._writer is None:
            self._writer = DataWriter(self._participant, self._command_topic)

    def write(self, command: Any) -> bool:
        """See `Go2Link`."""
        try:
            self._writer.write(command)
        except (DDSException, WireError):
            return False
        return True

    def other_writers(self) -> int:
        """See `Go2Link`."""
        return self._watch.count() - (self._writer is not None)

    def call(self, service: str, api_id: int, parameter: str, timeout: float) -> tuple[int, str]:
        """See `Go2Link`."""
        writer, reader = self._client(service)
        deadline = time.monotonic() + timeout
        while not (writer.get_matched_subscriptions() and reader.get_matched_publications()):
            if time.monotonic() > deadline:
                return TIMEOUT, ""
            time.sleep(_POLL)
        identity = messages.RequestIdentity_(time.monotonic_ns(), api_id)
        try:
            writer.write(messages.Request_(messages.RequestHeader_(identity), parameter))
        except DDSException:
            return 3102, ""
        while time.monotonic() < deadline:
            for answer in take(reader):
                if answer.header.identity.id == identity.id:
                    return int(answer.header.status.code), str(answer.data)
            time.sleep(_POLL)
        return TIMEOUT, ""

    def _client(self, service: str) -> tuple[Any, Any]:
        if service not in self._clients:
            request = Topic(self._participant, request_topic(service), messages.Request_)
            response = Topic(self._participant, response_topic(service), messages.Response_)
            self._clients[service] = (
                DataWriter(self._participant, request),
                DataReader(self._participant, response, Qos(Policy.History.KeepLast(QUEUE))),
            )
        return self._clients[service]

    def close(self) -> None:
        """See `Go2Link`."""
        # entities go with their last reference, children first
        self._clients.clear()
        self._writer = None
        del self._states, self._watch, self._command_topic, self._participant, self._domain
