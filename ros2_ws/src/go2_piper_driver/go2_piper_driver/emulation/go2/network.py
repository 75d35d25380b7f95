"""The emulated Go2's DDS endpoints."""

from __future__ import annotations

from typing import Any

from cyclonedds.core import DDSException
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

from ...go2 import messages
from ...go2.link import LOW_CMD, LOW_STATE
from ...go2.own_link import QUEUE, join_domain, take
from ...go2.services import MOTION_SWITCHER, SPORT, request_topic, response_topic
from .emulated_go2 import EmulatedGo2


class Go2Network:
    """Moves messages between DDS and an emulated Go2. Raises PlantError where the domain cannot be joined."""

    def __init__(self, go2: EmulatedGo2, domain: int, interface: str) -> None:
        self._go2 = go2
        self._domain, self._participant = join_domain(domain, interface)
        keep = Qos(Policy.History.KeepLast(QUEUE))
        self._command_topic = Topic(self._participant, LOW_CMD, messages.LowCmd_)
        self._commands = DataReader(self._participant, self._command_topic, keep)
        self._states = DataWriter(self._participant, Topic(self._participant, LOW_STATE, messages.LowState_))
        self._services = {name: self._serve(name, keep) for name in (MOTION_SWITCHER, SPORT)}
        self._state = messages.LowState_()
        self._intruder: Any = None

    def _serve(self, service: str, qos: Qos) -> tuple[Any, Any]:
        request = Topic(self._participant, request_topic(service), messages.Request_)
        response = Topic(self._participant, response_topic(service), messages.Response_)
        return DataReader(self._participant, request, qos), DataWriter(self._participant, response)

    def take_commands(self) -> None:
        """Hand the commands that have come to the robot."""
        for command in take(self._commands):
            self._go2.take_command(command)

    def publish_state(self) -> None:
        """Publish the state of this step."""
        sample = self._go2.state()
        if sample is not None:
            self._states.write(self._state.carry(sample))

    def answer_requests(self) -> None:
        """Answer the requests that have come, and follow the fault that wants a second writer."""
        for service, (reader, writer) in self._services.items():
            for request in take(reader):
                if self._go2.faults.services_silent:
                    continue
                identity = request.header.identity
                code, data = self._go2.service.answer(service, int(identity.api_id), str(request.parameter))
                if request.header.policy.noreply:
                    continue
                header = messages.ResponseHeader_(identity, messages.ResponseStatus_(code))
                try:
                    writer.write(messages.Response_(header, data))
                except DDSException:
                    continue
        if self._go2.faults.second_writer != (self._intruder is not None):
            intrudes = self._go2.faults.second_writer
            self._intruder = DataWriter(self._participant, self._command_topic) if intrudes else None
