"""piper_sdk, unmodified, behind a small door: opens the bus, reads it in a thread of ours, sends commands.

The SDK's own reader thread cannot be joined and spins on a dead bus, so `ConnectPort` is told not to start it and the
loop around its `ReadCanMessage` is here. Frames go to our listener instead of the SDK's parser.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .limits import SdkLimits
from .wire import MitSetPoint

SDK_VERSION = "0.6.2"
_INSTALL = "pip install 'piper_sdk==0.6.2' 'python-can>=4,<5'"
_ERROR_PAUSE = 0.01
"""s between two reads of a bus that fails."""
_JOIN_TIMEOUT = 3.0
"""s; the SDK's read gives up after 1 s."""


class SdkError(RuntimeError):
    """piper_sdk is missing or the bus cannot be opened; one line."""


class _SendErrors(logging.Handler):
    """Counts what the SDK only logs, instead of printing it 600 times per second."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        if "send failed" in record.getMessage():
            self.count += 1


def load_sdk() -> Any:
    """Return the module piper_sdk.

    Raises:
        SdkError: it is not installed, or not in the version that this driver was made for.
    """
    for package, wanted in (("piper_sdk", SDK_VERSION), ("python-can", "4")):
        try:
            found = version(package)
        except PackageNotFoundError:
            raise SdkError(f"{package} is not installed, without it there is no arm: {_INSTALL}") from None
        if found != wanted and not found.startswith(f"{wanted}."):
            raise SdkError(f"{package} {found} is not the version that this driver knows: {_INSTALL}")
    try:
        import piper_sdk
    except ImportError as error:
        raise SdkError(f"piper_sdk cannot be imported ({error}): {_INSTALL}") from error
    return piper_sdk


class SdkBus:
    """One connection. After `close`, open a new one."""

    def __init__(self, interface: str, channel: str, bitrate: int, on_frame: Callable[[int, bytes], None]) -> None:
        """Open the bus and begin to read it. Raises SdkError."""
        sdk = load_sdk()
        self._errors = _SendErrors()
        self._sdk = sdk.C_PiperInterface_V2(
            channel, judge_flag=False, can_auto_init=False, logger_level=sdk.LogLevel.SILENT
        )  # fmt: skip
        self._sdk.logger.logger.addHandler(self._errors)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's keyword `bustype`
                self._sdk.CreateCanBus(channel, bustype=interface, expected_bitrate=bitrate, judge_flag=False)
                self._sdk.ConnectPort(piper_init=False, start_thread=False)
            self._can = self._sdk.GetCanBus()
            if self._can.recv_bus is None or self._can.send_bus is None:
                raise OSError("the backend refused it")
        except Exception as error:
            self._disconnect()
            raise SdkError(
                f"cannot open CAN channel {channel} ({interface}): {self._reason(error, interface, channel)}"
            ) from None
        self._can.callback_function = lambda message: on_frame(message.arbitration_id, bytes(message.data))
        self._read_ok = self._can.CAN_STATUS.READ_CAN_MSG_OK
        self._read_nothing = self._can.CAN_STATUS.READ_CAN_MSG_TIMEOUT
        self.read_errors = 0
        """Reads that failed, as they do on a device that is down."""
        self._stop = threading.Event()
        self._reader = threading.Thread(target=self._read, name="piper_can", daemon=True)
        self._reader.start()

    @staticmethod
    def _reason(error: Exception, interface: str, channel: str) -> str:
        """Return why; the SDK swallows it, so that it has to be asked again."""
        import can

        try:
            with can.Bus(channel=channel, interface=interface):
                return str(error)
        except Exception as found:
            return str(found).splitlines()[0] if str(found) else type(found).__name__

    def _read(self) -> None:
        while not self._stop.is_set():
            status = self._can.ReadCanMessage()
            if status is not self._read_ok and status is not self._read_nothing:
                self.read_errors += 1
                self._stop.wait(_ERROR_PAUSE)

    def _disconnect(self) -> None:
        self._sdk.DisconnectPort()
        self._sdk.logger.logger.removeHandler(self._errors)

    def close(self) -> None:
        """Stop reading and close the bus; no command is sent."""
        self._stop.set()
        self._reader.join(_JOIN_TIMEOUT)
        self._disconnect()

    @property
    def send_errors(self) -> int:
        """Frames that could not be sent."""
        return self._errors.count

    # --- queries ----------------------------------------------------------------------------------------------------

    def ask_firmware(self) -> None:
        """Ask for the firmware version."""
        self._sdk.SearchPiperFirmwareVersion()

    def ask_limits(self, motor: int) -> None:
        """Ask for the angle and speed limits of motor 1 to 6."""
        self._sdk.SearchMotorMaxAngleSpdAccLimit(motor, 1)

    def sdk_limits(self) -> tuple[SdkLimits, float]:
        """Return the joint limits of the SDK in rad and the greatest stroke of the gripper in m."""
        joints = [self._sdk.GetSDKJointLimitParam(f"j{motor}") for motor in range(1, 7)]
        return [(float(low), float(high)) for low, high in joints], float(self._sdk.GetSDKGripperRangeParam()[1])

    # --- commands ---------------------------------------------------------------------------------------------------

    def enable(self, motor: int) -> None:
        """Give power to motor 1 to 6. One by one: number 7 would also move the gripper."""
        self._sdk.EnableArm(motor)

    def disable(self, motor: int) -> None:
        """Take power from motor 1 to 6: the arm falls."""
        self._sdk.DisableArm(motor)

    def position_mode(self, speed_percent: int) -> None:
        """Put the arm under CAN control, MOVE J, with a share of the joints' speed."""
        self._sdk.MotionCtrl_2(0x01, 0x01, speed_percent, 0x00)

    def mit_mode(self, speed_percent: int) -> None:
        """Put the arm under CAN control, MIT."""
        self._sdk.MotionCtrl_2(0x01, 0x04, speed_percent, 0xAD)

    def joints(self, mdeg: Sequence[int]) -> None:
        """Send six joint targets, 0.001 degrees."""
        self._sdk.JointCtrl(*mdeg)

    def mit(self, motor: int, point: MitSetPoint) -> None:
        """Send a set point, already clamped, to motor 1 to 6."""
        self._sdk.JointMitCtrl(motor, point.position, point.velocity, point.kp, point.kd, point.torque)

    def gripper(self, stroke_um: int, effort_mnm: int) -> None:
        """Move the gripper: stroke in 0.001 mm, effort in 0.001 N m."""
        self._sdk.GripperCtrl(stroke_um, effort_mnm, 0x01, 0)
