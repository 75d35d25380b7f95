"""Makes cyclonedds 11 describe octets as 0.10 does, and refuses to join a network with anything else.

cyclonedds 0.10, with which the robot's own services are built, describes IDL `octet` as TK_BYTE; cyclonedds 11 says
TK_UINT8. The type ids then differ, the 0.10 peer asks for the unknown type, and the answer crashes it (measured with
0.10.2 and 0.10.5). With the proxy below the descriptions are byte for byte those of 0.10.2.

Import this module before any topic is made.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from cyclonedds.idl import _xt_builder
from cyclonedds.idl._typesupport.DDS import XTypes

TYPE_IDS = {
    "unitree_go.msg.dds_.LowCmd_": "52cc8eb0d427d692aa2b20a90540",
    "unitree_go.msg.dds_.LowState_": "08f239c471d3a27e67e7c7723184",
    "unitree_api.msg.dds_.Request_": "c47a4429fcbf539486498753c48f",
    "unitree_api.msg.dds_.Response_": "d1c32cc02214901a464a6c51325d",
}
"""Hash of the complete type, hexadecimal, as the wheel of cyclonedds 0.10.2 makes it. LowCmd's is also that of the
vendor's own C++ header."""


class TypeIdError(RuntimeError):
    """This process would describe a type differently from the robot; one line."""


class _OctetsAreBytes:
    """The XTypes module, in which TK_UINT8 is TK_BYTE."""

    TK_UINT8 = XTypes.TK_BYTE

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def apply() -> None:
    """Install the proxy; without effect on cyclonedds 0.10, and the second time."""
    types = getattr(_xt_builder, "xt", None)
    if isinstance(types, ModuleType):
        _xt_builder.xt = _OctetsAreBytes(types)


def type_id(message: Any) -> str:
    """Return the hash that identifies an IDL class to other processes, hexadecimal."""
    return bytes(message.__idl__.get_type_id().equivalence_hash).hex()


def check_type_ids(*messages: Any) -> None:
    """Refuse classes whose type id is not the robot's.

    Raises:
        TypeIdError: names the first class that differs.
    """
    for message in messages:
        name = message.__idl_typename__
        found = type_id(message)
        if found != TYPE_IDS[name]:
            raise TypeIdError(
                f"DDS type {name} has id {found}, the robot's is {TYPE_IDS[name]}: joining could crash the robot's "
                "services; use cyclonedds 0.10.2 to 0.10.5 or 11.0.1"
            )


apply()
