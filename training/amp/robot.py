"""The robots of the steering task: any MJCF with a free root, and which of its parts count."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import mujoco
import yaml
from go2_piper_description.joints import LEG_JOINT_NAMES, LEGS
from robot_bridge.gate_params import GateParams

from ..envs.config import EnvConfig
from ..envs.physics import training_model
from ..structured import ConfigError, from_dict

GO2_PIPER = "go2_piper"
"""As `model`: the project's own robot, pruned as for the other trainings."""
_FILES = Path(__file__).parent / "robots"


@dataclass(frozen=True)
class RobotConfig:
    """One robot."""

    model: str
    """MJCF file, or GO2_PIPER."""
    joints: tuple[str, ...]
    """Scalar joints that the policy moves, one actuator each. All others stay at the home pose."""
    key_sites: tuple[str, ...]
    """What the discriminator sees of the motion beside the joints: positions in the frame of the root."""
    key_bodies: tuple[str, ...] = ()
    contact_sensors: tuple[str, ...] = ()
    """Touch sensors of the feet, for the critic and the gait's figures."""
    keyframe: str = ""
    """Home pose; empty for the model's default."""
    torque_control: bool = False
    """Actions are torques (in units of the control range's upper end), not offsets of position targets from home."""
    action_scale: float = 0.25
    """rad per action; of torque control, part of the range per action."""
    target_rate: float = 0.0
    """rad/s, how fast position targets may move; 0 for no limit."""
    physics_timestep: float = 0.005
    control_period: float = 0.02
    fall_height: float = 0.16
    """m; a lower root is a fall."""
    fall_tilt: float = 1.05
    """rad; a larger one is a fall."""

    @property
    def substeps(self) -> int:
        """Physics steps per control step."""
        return round(self.control_period / self.physics_timestep)


def _go2_piper() -> RobotConfig:
    return RobotConfig(
        GO2_PIPER,
        joints=LEG_JOINT_NAMES,
        key_sites=tuple(f"{leg}_foot" for leg in LEGS),
        contact_sensors=tuple(f"{leg}_touch" for leg in LEGS),
        keyframe="stand",
        physics_timestep=EnvConfig().physics_timestep,
        target_rate=GateParams().leg_target_rate,  # what the gate lets through
    )


def robot_config(env_id: str) -> RobotConfig:
    """Return the robot of an environment id, `Go2Piper.walk.mocap` or that of a file in `robots/`.

    Raises:
        ConfigError: unknown id, or a file that cannot be read.
    """
    if env_id == "Go2Piper.walk.mocap":
        return _go2_piper()
    path = _FILES / f"{env_id}.yaml"
    if Path(env_id).name != env_id or not path.is_file():
        raise ConfigError(f"env_id '{env_id}' is unknown: choose one of {', '.join(environments())}")
    return from_dict(RobotConfig, yaml.safe_load(path.read_text()), path.name)


def environments() -> list[str]:
    """Return all environment ids."""
    return ["Go2Piper.walk.mocap", *sorted(path.stem for path in _FILES.glob("*.yaml"))]


@functools.lru_cache(maxsize=4)
def robot_model(config: RobotConfig) -> mujoco.MjModel:
    """Compile the robot; the caller must not change it. Raises ConfigError if the model lacks what the robot names."""
    if config.model == GO2_PIPER:
        model = training_model(config.physics_timestep)
    else:
        path = Path(config.model).expanduser()
        if not path.is_file():
            raise ConfigError(
                f"model {path} is missing: it is not part of this project; install the package that has it and set "
                "`model` in the robot's file to your copy"
            )
        try:
            model = mujoco.MjModel.from_xml_path(str(path))
        except ValueError as error:
            raise ConfigError(f"{path} is not a usable MJCF file ({' '.join(str(error).split())[:160]})") from None
        model.opt.timestep = config.physics_timestep
    _check(model, config)
    return model


def _check(model: mujoco.MjModel, config: RobotConfig) -> None:
    if model.njnt == 0 or model.jnt_type[0] != mujoco.mjtJoint.mjJNT_FREE:
        raise ConfigError(f"{config.model}: its first joint must be the free joint of the root")
    kinds = {
        mujoco.mjtObj.mjOBJ_JOINT: config.joints,
        mujoco.mjtObj.mjOBJ_SITE: config.key_sites,
        mujoco.mjtObj.mjOBJ_BODY: config.key_bodies,
        mujoco.mjtObj.mjOBJ_SENSOR: config.contact_sensors,
        mujoco.mjtObj.mjOBJ_KEY: (config.keyframe,) if config.keyframe else (),
    }
    for kind, names in kinds.items():
        missing = [name for name in names if mujoco.mj_name2id(model, kind, name) < 0]
        if missing:
            raise ConfigError(f"{config.model} has no {kind.name[6:].lower()} {', '.join(missing)}")
    driven = {model.actuator_trnid[i, 0] for i in range(model.nu)}
    undriven = [name for name in config.joints if model.joint(name).id not in driven]
    if undriven:
        raise ConfigError(f"{config.model} has no actuator for {', '.join(undriven)}")
