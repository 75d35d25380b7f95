"""The policy contract: everything a controller must know about a policy file, carried in the file's metadata.

The training writes it into the ONNX file, the controller reads it back and refuses a file that does not fit the robot.
ROS-free and torch-free: training and deployment import the same code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

import numpy as np
from go2_piper_description.joints import JOINT_NAMES, NUM_JOINTS, joint_array
from numpy.typing import NDArray

SCHEMA_VERSION = 1
METADATA_KEY = "go2_piper_contract"
"""The one key of the ONNX metadata that holds the contract, as JSON."""

LONGEST_PREVIEW = 10.0
"""s; a policy that looks further ahead is a mistake."""
LONGEST_HISTORY = 1000
"""Control steps; the same backwards."""

OBSERVATION_INPUT = "observation"
ACTION_OUTPUT = "action"
WEIGHTS_OUTPUT = "expert_weights"
EXPERT_ACTIONS_OUTPUT = "expert_actions"


class ContractError(ValueError):
    """A policy file does not fit this robot or this software; one line that names what differs."""


@dataclass(frozen=True)
class ObservationTerm:
    """One block of the observation vector, in the order of the list."""

    name: str
    size: int
    scale: float = 1.0
    clip: float = 100.0
    """Symmetric limit after scaling."""
    history: int = 1
    """Number of time steps, oldest first; `size` is that of one."""
    stride: int = 1
    """Control steps between two of the history."""
    times: tuple[float, ...] = ()
    """s ahead of now, for terms that look at the end-effector's target; none is now."""


@dataclass(frozen=True)
class VelocityLimits:
    """Base velocity commands that the policy was trained on: m/s forward, m/s left, rad/s about z.

    Whatever is asked for, the policy is told a command that changes no faster than `acceleration`: a stick that is let
    go asks for 0 out of 1 m/s at once, and a robot that brakes as hard as it can while its arm swings may fall.
    """

    vx: tuple[float, float] = (-0.6, 1.0)
    vy: tuple[float, float] = (-0.4, 0.4)
    wz: tuple[float, float] = (-0.8, 0.8)
    acceleration: tuple[float, float, float] = (1.5, 1.5, 3.0)
    """m/s2, m/s2, rad/s2"""

    def clip(self, command: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return commands (vx, vy, wz), shape (..., 3), limited to the ranges."""
        low, high = np.array([self.vx, self.vy, self.wz]).T
        return np.clip(command, low, high)

    def ramp(self, told: NDArray[np.float64], asked: NDArray[np.float64], period: float) -> NDArray[np.float64]:
        """Return what the policy is told next, (..., 3), on the way to what is asked for.

        Args:
            told: what it was told last, (..., 3).
            asked: (..., 3).
            period: s since then.
        """
        step = period * np.array(self.acceleration)
        return told + np.clip(asked - told, -step, step)


@dataclass(frozen=True)
class TargetRegion:
    """End-effector targets that the policy was trained on: a sector of a ball about the arm's shoulder, in base_link.

    Targets low above the trunk, where the arm would touch it, are left out.
    """

    radius: tuple[float, float] = (0.25, 0.55)
    """m"""
    azimuth: tuple[float, float] = (-1.2, 1.2)
    """rad about z, 0 straight ahead"""
    elevation: tuple[float, float] = (-0.5, 1.0)
    """rad, up positive"""


@dataclass(frozen=True)
class Contract:
    """What one policy file needs and gives. Arrays are tuples so that the contract is hashable and JSON-clean."""

    observation: tuple[ObservationTerm, ...]
    experts: tuple[str, ...]
    groups: tuple[str, ...] = ("all",)
    """Joint groups with weights of their own: ("all",) or ("legs", "arm")."""
    joint_names: tuple[str, ...] = JOINT_NAMES
    default_position: tuple[float, ...] = field(default_factory=lambda: tuple(joint_array("stand").tolist()))
    action_scale: tuple[float, ...] = ()
    action_clip: float = 6.0
    """Raw actions are limited to +- this before scaling; the limited action is what `last_action` observes."""
    kp: tuple[float, ...] = field(default_factory=lambda: tuple(joint_array("kp").tolist()))
    kd: tuple[float, ...] = field(default_factory=lambda: tuple(joint_array("kd").tolist()))
    control_period: float = 0.02
    velocity_limits: VelocityLimits = VelocityLimits()
    target_region: TargetRegion = TargetRegion()
    mount_xyz: tuple[float, float, float] = (0.0, 0.0, 0.065)
    expert_sha256: tuple[str, ...] = ()
    training: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Free text about the run that made it: git hash, date, steps, seeds."""
    schema_version: int = SCHEMA_VERSION

    @property
    def observation_size(self) -> int:
        """Length of the observation vector."""
        return sum(term.size * term.history for term in self.observation)

    def to_metadata(self) -> dict[str, str]:
        """Return the ONNX metadata entries that carry this contract."""
        return {METADATA_KEY: json.dumps(asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Contract:
        """Read a contract back. Raises ContractError if there is none or it is of another schema."""
        if METADATA_KEY not in metadata:
            raise ContractError(f"the file carries no '{METADATA_KEY}' metadata: it was not exported by this project")
        try:
            raw = json.loads(metadata[METADATA_KEY])
            version = raw.get("schema_version")
            if version != SCHEMA_VERSION:
                raise ContractError(f"contract schema {version!r}, this software reads {SCHEMA_VERSION}: export again")
            return cls._from_dict(raw)
        except (TypeError, KeyError, AttributeError, ValueError, RecursionError) as error:
            if isinstance(error, ContractError):
                raise
            raise ContractError(f"the contract cannot be read ({error}): export the policy again") from error

    @classmethod
    def _from_dict(cls, raw: dict[str, object]) -> Contract:
        unknown = set(raw) - {f.name for f in fields(cls)}
        if unknown:
            raise ContractError(f"unknown contract entries {sorted(unknown)}: export the policy again")
        values: dict[str, object] = {key: _tuples(value) for key, value in raw.items() if key != "training"}
        values["training"] = dict(raw.get("training") or {})  # type: ignore[call-overload]
        terms = [{key: _tuples(value) for key, value in term.items()} for term in raw["observation"]]  # type: ignore
        values["observation"] = tuple(ObservationTerm(**term) for term in terms)  # type: ignore[arg-type]
        for name, kind in (("velocity_limits", VelocityLimits), ("target_region", TargetRegion)):
            values[name] = kind(**{key: _tuples(value) for key, value in raw[name].items()})  # type: ignore
        contract = cls(**values)  # type: ignore[arg-type]
        contract._check_kinds()
        return contract

    def _check_kinds(self) -> None:
        """Refuse entries of the wrong kind, so that all that comes later may rely on them. Raises ValueError."""
        for name in ("experts", "groups", "joint_names", "expert_sha256"):
            if not _all_of(getattr(self, name), str):
                raise ValueError(f"'{name}' is not a list of names")
        for name in ("default_position", "action_scale", "kp", "kd", "mount_xyz"):
            if not _all_of(getattr(self, name), int, float):
                raise ValueError(f"'{name}' is not a list of numbers")
        for name in ("action_clip", "control_period"):
            if not _all_of((getattr(self, name),), int, float):
                raise ValueError(f"'{name}' is not a number")
        ranges = asdict(self.velocity_limits) | asdict(self.target_region)
        fastest = ranges.pop("acceleration")
        if not (_all_of(fastest, int, float) and len(fastest) == 3 and all(0.0 < a < 1e3 for a in fastest)):
            raise ValueError("'acceleration' is not three positive numbers")
        for name, limits in ranges.items():
            if not (_all_of(limits, int, float) and len(limits) == 2 and -1e3 < limits[0] <= limits[1] < 1e3):
                raise ValueError(f"'{name}' is not a lower and an upper limit")
        for term in self.observation:
            counts = (term.size, term.history, term.stride)
            whole = _all_of(counts, int) and min(counts) > 0 and _all_of(term.times, int, float)
            if not (whole and isinstance(term.name, str) and _all_of((term.scale, term.clip), int, float)):
                raise ValueError(f"observation term {term.name!r} is not a name with numbers")
            if not (np.isfinite(term.scale) and term.clip > 0):
                raise ValueError(f"observation term {term.name!r} has scale {term.scale} and clip {term.clip}")
            if not all(0.0 <= time <= LONGEST_PREVIEW for time in term.times):
                raise ValueError(f"observation term {term.name!r} looks {term.times} s ahead")
            if term.history * term.stride > LONGEST_HISTORY:
                raise ValueError(f"observation term {term.name!r} looks {term.history * term.stride} steps back")
        if len(self.mount_xyz) != 3:
            raise ValueError("'mount_xyz' is not three numbers")

    def check_robot(self, mount_xyz: tuple[float, float, float] | None = None, tolerance: float = 1e-6) -> None:
        """Refuse a contract that does not fit the robot's tables.

        Args:
            mount_xyz: where the arm is mounted, m in base_link; None skips this check.
            tolerance: largest difference of a gain or pose that counts as equal.

        Raises:
            ContractError: one line that lists every difference by joint name.
        """
        problems = self._joint_name_problems() or self._number_problems(tolerance)
        if mount_xyz is not None and not np.allclose(self.mount_xyz, mount_xyz, atol=0.05):
            problems.append(
                f"arm mount {self.mount_xyz} in the policy, {mount_xyz} on the robot (more than 5 cm apart)"
            )
        if problems:
            raise ContractError("the policy does not fit the robot: " + "; ".join(problems))

    def _joint_name_problems(self) -> list[str]:
        missing = [name for name in JOINT_NAMES if name not in self.joint_names]
        unknown = [name for name in self.joint_names if name not in JOINT_NAMES]
        problems = []
        if missing:
            problems.append(f"joints missing {missing}")
        if unknown:
            problems.append(f"unknown joints {unknown}")
        if not problems and self.joint_names != JOINT_NAMES:
            problems.append(f"joint order {list(self.joint_names)} is not the canonical order")
        return problems

    def _number_problems(self, tolerance: float) -> list[str]:
        problems = []
        for title, values, wanted in (
            ("default position", self.default_position, joint_array("stand")),
            ("kp", self.kp, joint_array("kp")),
            ("kd", self.kd, joint_array("kd")),
        ):
            if len(values) != NUM_JOINTS:
                problems.append(f"{title} has {len(values)} entries, not {NUM_JOINTS}")
                continue
            differ = [
                f"{name} {value:g} (robot {want:g})"
                for name, value, want in zip(JOINT_NAMES, values, wanted, strict=True)
                if not abs(value - want) <= tolerance
            ]
            if differ:
                problems.append(f"{title} differs: {', '.join(differ)}")
        scale = np.asarray(self.action_scale)
        if scale.shape != (NUM_JOINTS,) or not np.all(np.isfinite(scale)) or np.any(scale <= 0):
            problems.append(f"action scale must be {NUM_JOINTS} positive numbers")
        if not self.experts:
            problems.append("no experts named")
        if self.groups not in (("all",), ("legs", "arm")):
            problems.append(f"unknown joint groups {self.groups}")
        if not 0.002 <= self.control_period <= 0.1:
            problems.append(f"control period {self.control_period} s is outside 0.002 to 0.1 s")
        if not self.action_clip > 0:
            problems.append(f"action clip {self.action_clip} is not positive")
        return problems


def _all_of(values: object, *kinds: type) -> bool:
    """Whether this is a tuple of nothing but these kinds; true and false do not count as numbers."""
    return isinstance(values, tuple) and all(isinstance(v, kinds) and not isinstance(v, bool) for v in values)


def _tuples(value: object) -> object:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
