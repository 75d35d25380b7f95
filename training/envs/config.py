"""Configuration of the environment: commands, targets, episode modes, reward weights, randomisation, curriculum."""

from __future__ import annotations

from dataclasses import dataclass, field

from moe_controller.contract import ObservationTerm, TargetRegion, VelocityLimits
from moe_controller.observation import DEFAULT_TERMS

Range = tuple[float, float]


@dataclass(frozen=True)
class Rewards:
    """Weights per second of simulated time; errors in m, rad, m/s, rad/s.

    The tracking kernels are wide (exp(-e2/0.25)), to be found, and sharp (exp(-e2/0.025)), to be finished: without the
    sharp one a velocity error of 0.2 m/s costs nothing worth learning for. Walking outweighs reaching: it shakes the
    hand, and a policy that is paid more for a calm hand stands through slow commands.
    """

    linear_velocity: float = 2.0
    yaw_velocity: float = 0.75
    linear_velocity_sharp: float = 3.0
    yaw_velocity_sharp: float = 1.5
    ee_position: float = 2.0
    """exp(-e/0.25)"""
    ee_position_sharp: float = 1.2
    """exp(-(e/0.04)^2)"""
    ee_orientation: float = 1.0
    """exp(-e/0.5)"""
    ee_orientation_sharp: float = 0.6
    """exp(-(e/0.15)^2)"""
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
    stand_motion: float = -0.004
    """Squared leg speeds while the command is zero: without it a standing robot steps on the spot and creeps away."""
    arm_neutral: float = -0.5
    leg_neutral: float = -0.3
    lifted_foot: float = -0.5
    fall: float = -1.0
    """Once, at the end of the episode."""


@dataclass(frozen=True)
class Mode:
    """What one episode is: who drives which joints, what is shown, and what is rewarded.

    `base_weight_legs`, `base_weight_arm`: range of the base expert's share; both draw the same number when the ranges
    are equal. Only a mixture with given (not learned) weights reads them.
    """

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
    zero_command: float = 0.15
    """Probability that the command shown is zero."""
    home_target: float = 0.0
    """Probability that the target shown is the home pose, which is what the controller shows without a goal."""
    base_weight_legs: Range = (1.0, 1.0)
    base_weight_arm: Range = (1.0, 1.0)


@dataclass(frozen=True)
class Randomization:
    """Drawn per episode (pushes: during it). Ranges are inclusive."""

    friction: Range = (0.5, 1.2)
    base_mass: Range = (-0.5, 1.5)
    """kg, added to the trunk."""
    payload: Range = (0.0, 0.4)
    """kg, added to the gripper."""
    com_offset: float = 0.02
    """m, largest shift of the trunk's centre of mass per axis."""
    kp_scale: Range = (0.9, 1.1)
    kd_scale: Range = (0.8, 1.2)
    motor_strength: Range = (0.92, 1.08)
    """On the torque of each joint by itself."""
    delay: Range = (0.0, 0.02)
    """s from the command to the joint; rounded to physics steps."""
    mount_offset: float = 0.004
    """m, largest shift of the arm's mount per axis; the observation does not know it."""
    push_interval: float = 5.0
    """s between kicks; 0 for none."""
    push_velocity: float = 0.4
    """m/s, largest kick on the base in x and y."""
    joint_position_noise: float = 0.005
    joint_velocity_noise: float = 0.3
    gyro_noise: float = 0.05
    tilt_noise: float = 0.01

    @classmethod
    def none(cls) -> Randomization:
        """Return the nominal robot: nothing drawn, no noise, no delay."""
        one, zero = (1.0, 1.0), (0.0, 0.0)
        return cls((0.8, 0.8), zero, zero, 0.0, one, one, one, zero, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Targets:
    """End-effector targets. They jump to the next one, or glide there (a trajectory, seen through the preview)."""

    region: TargetRegion = TargetRegion()
    spread: float = 0.6
    """rad, largest turn away from the natural orientation."""
    glide_probability: float = 0.4
    glide_speed: Range = (0.05, 0.6)
    """m/s along the way, peak about twice; turns at most 2 rad/s."""
    world_probability: float = 0.5
    """Probability that a target stays in place when the base moves; only where the command is zero."""
    trajectory_file: str = ""
    """Trajectories (.npz or UMI-style .pkl) instead of random targets, in the frame of the base at the start."""


@dataclass(frozen=True)
class Terminations:
    """What ends an episode before its time."""

    height: float = 0.15
    """m; a lower base is a fall."""
    tilt: float = 1.05
    """rad; a larger one is a fall."""


@dataclass(frozen=True)
class Curriculum:
    """Starts easy: factors at the beginning of a run that grow to 1, linearly, over a part of it."""

    until: float = 0.0
    """Part of the run after which everything is at full range; 0 for no curriculum."""
    slow_commands: float = 0.0
    """On the share of slow commands: while they are many, a policy that cannot walk yet is best off standing."""
    push: float = 0.0
    """On the push velocity."""
    spread: float = 0.3
    """On the spread of the orientations."""

    def factor(self, start: float, progress: float) -> float:
        """Return the factor at `progress` (0 to 1) of the run."""
        if self.until <= 0.0 or progress >= self.until:
            return 1.0
        return start + (1.0 - start) * progress / self.until


def _walk() -> dict[str, Mode]:
    return {"walk": Mode(1.0)}


@dataclass(frozen=True)
class EnvConfig:
    """The whole environment."""

    num_envs: int = 512
    modes: dict[str, Mode] = field(default_factory=_walk)
    phases: bool = False
    """Draw a new mode with each new command, instead of one per episode."""
    observation: tuple[ObservationTerm, ...] = DEFAULT_TERMS
    router_observation: tuple[ObservationTerm, ...] = ()
    """What a router sees beside it; `moe_controller.observation.ROUTER_TERMS` for the attention router."""
    rewards: Rewards = field(default_factory=Rewards)
    randomization: Randomization = field(default_factory=Randomization)
    targets: Targets = field(default_factory=Targets)
    terminations: Terminations = field(default_factory=Terminations)
    curriculum: Curriculum = field(default_factory=Curriculum)
    velocity_limits: VelocityLimits = VelocityLimits()
    leg_action_scale: float = 0.25
    arm_action_scale: float = 0.5
    action_clip: float = 6.0
    control_period: float = 0.02
    physics_timestep: float = 0.01
    """s. Policies score the same at 5 and at 10 ms (docs/training.md), and 10 ms is half the work."""
    episode_length: float = 10.0
    """s"""
    slow_commands: float = 0.5
    """Share of the commands that are scaled down and lack components, see `commands.py`."""
    sudden_stops: float = 0.0
    """Share of the new commands out of a fast walk that allow no way forward any more: uniform draws hold few."""
    resample_interval: Range = (3.0, 7.0)
    """s between new commands and targets, which change together."""
    model: str = ""
    """MJCF file of another robot model with the same joints; empty for the project's own, pruned for speed."""
    num_threads: int = 1
    seed: int = 1
