"""The Go2's request services: names, functions and error codes, from unitree_sdk2py @37116c5."""

from __future__ import annotations

MOTION_SWITCHER = "motion_switcher"
SPORT = "sport"

API_VERSION = 1
CHECK_MODE = 1001
SELECT_MODE = 1002
RELEASE_MODE = 1003

SPORT_DAMP = 1001
SPORT_STAND_UP = 1004
SPORT_STAND_DOWN = 1005

ERRORS = {
    3102: "the request could not be sent",
    3104: "no answer in time",
    3105: "the answer was for another request",
    3202: "error inside the service",
    3203: "not implemented by the service",
    3204: "wrong parameter",
    7001: "wrong parameter",
    7002: "busy",
    7003: "wrong event",
    7004: "no such mode",
    7006: "the mode could not be checked",
    7007: "the mode could not be selected",
    7008: "the mode could not be released",
}
TIMEOUT = 3104
NOT_IMPLEMENTED = 3203
BAD_PARAMETER = 3204
NO_SUCH_MODE = 7004
RELEASE_FAILED = 7008


def request_topic(service: str) -> str:
    """Return the topic on which a service takes requests."""
    return f"rt/api/{service}/request"


def response_topic(service: str) -> str:
    """Return the topic on which a service answers."""
    return f"rt/api/{service}/response"


def describe(code: int) -> str:
    """Say in words what an error code means."""
    return f"{ERRORS.get(code, 'unknown error')} (code {code})"
