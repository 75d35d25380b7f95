"""States and actions of a rollout as a zarr group, for whoever wants to go through them in another program."""

from __future__ import annotations

from pathlib import Path

import zarr
from go2_piper_description.joints import JOINT_NAMES

from .rollout import Rollout

LOGS = "logs.zarr"
STATES = (
    "base_position", "base_orientation", "base_linear_velocity", "base_angular_velocity", "joint_position",
    "joint_velocity", "joint_torque", "ee_position", "ee_orientation", "target_position", "target_orientation",
    "command", "mode",
)  # fmt: skip
ACTIONS = ("action", "expert_actions", "weights")


def write_log(rollout: Rollout, path: Path) -> None:
    """Write `time` (T,), `states/<name>` and `actions/<name>`, (T, N, ...) each, as in `rollout.Step`.

    Attributes of the group name the policy, joints, experts, joint groups and modes, and give the control period in s.
    """
    group = zarr.open_group(str(path), mode="w")
    group.attrs.update(
        {
            "policy": rollout.policy,
            "control_period": rollout.period,
            "joints": list(JOINT_NAMES),
            "experts": list(rollout.experts),
            "groups": list(rollout.groups),
            "modes": list(rollout.modes),
            "units": "m, rad, s, N m; quaternions x, y, z, w; ee and target in base_link, base in the world",
        }
    )
    group["time"] = rollout.time
    for folder, names in (("states", STATES), ("actions", ACTIONS)):
        for name in names:
            group[f"{folder}/{name}"] = getattr(rollout.steps, name)
