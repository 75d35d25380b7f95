"""Configuration of the environment: commands, episode modes, reward weights, randomisation."""

from __future__ import annotations

from dataclasses import dataclass, field

from moe_controller.contract import TargetRegion, VelocityLimits


@dataclass(frozen=True)
class Rewards:
    """Weights per second of simulated time; errors in m, rad, m/s, rad/s.

    The tracking kernels are wide (exp(-e2/0.25)), to be found, and sharp (exp(-e2/0.04)), to be finished: without the
    sharp one a velocity error of 0.2 m/s costs nothing worth learning for.
    """

    linear_velocity: float = 2.0
    yaw_velocity: float = 0.75
    linear_velocity_sharp: float = 1.5
    yaw_velocity_sharp: float = 0.6
    ee_position: float = 2.0
    """exp(-e/0.25)"""
    ee_position_sharp: float = 1.5
    """exp(-(e/0.05)^2)"""
    vertical_velocity: float = -2.0
    roll_pitch_velocity: float = -0.05
    tilt: float = -2.5
    height: float = -20.0
    torque: float = -1e-4
    joint_acceleration: float = -5e-8
    action_rate: float = -0.01
    hip_deviation: float = -0.3
    foot_slip: float = -0.05
    air_time: float = 0.1
    """Per touch-down and second of air beyond 0.25 s; not scaled by the time step."""
    stand_still: float = -0.5
    """Leg deviation while the command is zero."""
    stand_motion: float = -0.01
    """Squared leg speeds while the command is zero: without it a standing robot steps on the spot and creeps away."""
    arm_neutral: float = -0.5
    leg_neutral: float = -0.3
    lifted_foot: float = -0.5
    fall: float = -1.0
    """Once, at the end of the episode."""


@dataclass(frozen=True)
class Mode:
    """What one episode is: who drives which joints, and what is rewarded.

    `base_weight_legs`, `base_weight_arm`: range of the base expert's share; both draw the same number when the ranges
    are equal. Only a mixture with a given (not learned) router reads them.
    """

    name: str
    probability: float
    walk: bool = True
    """Reward the velocity command."""
    reach: bool = False
    """Reward the end-effector target."""
    stand: bool = False
    """Reward standing still, whatever command is shown."""
    arm_neutral: bool = False
    """Reward the arm for staying at its default pose."""
    scripted_arm: bool = False
    """The arm is moved by a random script instead of the policy."""
    base_weight_legs: tuple[float, float] = (1.0, 1.0)
    base_weight_arm: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Randomization:
    """Drawn per episode (pushes: during it). Ranges are inclusive."""

    friction: tuple[float, float] = (0.5, 1.2)
    base_mass: tuple[float, float] = (-0.5, 1.5)
    """kg, added to the trunk."""
    gain_scale: tuple[float, float] = (0.9, 1.1)
    """On kp and kd of all joints together."""
    delay_steps: tuple[int, int] = (0, 2)
    """Command delay in physics steps of 5 ms."""
    push_interval: float = 5.0
    """s between kicks; 0 for none."""
    push_velocity: float = 0.35
    """m/s, largest kick on the base in x and y."""
    joint_position_noise: float = 0.005
    joint_velocity_noise: float = 0.3
    gyro_noise: float = 0.05
    tilt_noise: float = 0.01

    @classmethod
    def none(cls) -> Randomization:
        """Return the nominal robot: nothing drawn, no noise, no delay."""
        return cls((0.8, 0.8), (0.0, 0.0), (1.0, 1.0), (0, 0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class EnvConfig:
    """The whole environment."""

    num_envs: int = 256
    modes: tuple[Mode, ...] = (Mode("walk", 1.0),)
    rewards: Rewards = field(default_factory=Rewards)
    randomization: Randomization = field(default_factory=Randomization)
    velocity_limits: VelocityLimits = VelocityLimits()
    target_region: TargetRegion = TargetRegion()
    leg_action_scale: float = 0.25
    arm_action_scale: float = 0.5
    action_clip: float = 6.0
    control_period: float = 0.02
    episode_length: float = 10.0
    """s"""
    resample_interval: tuple[float, float] = (4.0, 10.0)
    """s between new commands and targets, which change together."""
    zero_command_probability: float = 0.25
    num_threads: int = 2
    seed: int = 1
