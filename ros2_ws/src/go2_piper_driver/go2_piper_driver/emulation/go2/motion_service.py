"""The emulated motion service: who owns the motors, and a simple controller for the modes that lie, stand and damp."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
from go2_piper_description.joints import LEG_SLICE, joint_array

from ...go2.services import (
    API_VERSION,
    BAD_PARAMETER,
    CHECK_MODE,
    MOTION_SWITCHER,
    NO_SUCH_MODE,
    NOT_IMPLEMENTED,
    RELEASE_FAILED,
    RELEASE_MODE,
    SELECT_MODE,
    SPORT,
    SPORT_DAMP,
    SPORT_STAND_DOWN,
    SPORT_STAND_UP,
)
from ..physics import Array, Drive

MODES = ("normal", "ai", "advanced", "mcf")
_POSES = {SPORT_STAND_UP: "stand", SPORT_STAND_DOWN: "rest"}
_RATE = 1.5
"""rad/s at which the service moves the legs."""
_DAMPING = 3.0


class MotionService:
    """Answers MotionSwitcher and sport requests, and drives the legs while a mode owns them."""

    def __init__(self, mode: str = "normal") -> None:
        self.mode = mode
        """Name of the mode that owns the motors; empty once released."""
        self.refuses_release = False
        """Fault: answers that the release failed."""
        self.reappears = ""
        """Fault: the mode that comes back as soon as it is released."""
        self._goal: Array | None = joint_array("rest")[LEG_SLICE]
        self._target: Array | None = None
        self._kp, self._kd = joint_array("kp")[LEG_SLICE], joint_array("kd")[LEG_SLICE]
        self._answers: dict[str, Callable[[int, str], tuple[int, str]]] = {
            MOTION_SWITCHER: self._switcher,
            SPORT: self._sport,
        }

    def answer(self, service: str, api_id: int, parameter: str) -> tuple[int, str]:
        """Return code and data of a request."""
        if api_id == API_VERSION:
            return 0, "1.0.0.1"
        return self._answers[service](api_id, parameter)

    def _switcher(self, api_id: int, parameter: str) -> tuple[int, str]:
        if api_id == CHECK_MODE:
            return 0, json.dumps({"form": "0", "name": self.mode})
        if api_id == SELECT_MODE:
            try:
                name = json.loads(parameter)["name"]
            except (ValueError, KeyError, TypeError):
                return BAD_PARAMETER, ""
            if name not in MODES:
                return NO_SUCH_MODE, ""
            self.mode, self._target, self._goal = name, None, None
            return 0, ""
        if api_id == RELEASE_MODE:
            if self.refuses_release:
                return RELEASE_FAILED, ""
            self.mode = ""
            return 0, ""
        return NOT_IMPLEMENTED, ""

    def _sport(self, api_id: int, _: str) -> tuple[int, str]:
        if not self.mode:
            return NOT_IMPLEMENTED, ""  # the service is gone with its mode
        if api_id in _POSES:
            self._goal, self._target = joint_array(_POSES[api_id])[LEG_SLICE], None
            return 0, ""
        if api_id == SPORT_DAMP:
            self._goal = None
            return 0, ""
        return NOT_IMPLEMENTED, ""

    def drive(self, measured: Array, period: float) -> Drive:
        """Return what the service makes the legs do; measured positions in rad, shape (12,)."""
        if self._goal is None:
            return Drive.damping(12, _DAMPING)
        if self._target is None:
            self._target = measured.copy()
        self._target = self._target + np.clip(self._goal - self._target, -_RATE * period, _RATE * period)
        zeros = np.zeros(12)
        return Drive(self._target, zeros, zeros, self._kp, self._kd)
