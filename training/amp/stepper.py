"""Many simulated robots behind one interface: MuJoCo's thread pool on CPUs, MJX on GPUs."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from ..structured import ConfigError
from .robot import RobotConfig, robot_model

Array = NDArray[np.float64]
Ids = NDArray[np.int64]
TOUCH = 1.0
"""N; a foot that presses harder is on the ground."""


class Stepper(Protocol):
    """N robots. States are of now; contacts are those of the last physics step."""

    qpos: Array
    """(N, nq); read only."""
    qvel: Array

    def place(self, ids: Ids, qpos: Array, qvel: Array) -> None:
        """Put robots into states."""

    def dress(self, ids: Ids, friction: Array, mass: Array) -> None:
        """Give robots their own friction (factor for all geoms) and more mass of the root, kg; (len(ids),) each."""

    def push(self, velocity: Array) -> None:
        """Add to the horizontal velocity of the roots, m/s, (N, 2)."""

    def run(self, ctrl: Array) -> None:
        """Do one physics step with each control, (S, N, nu)."""

    def contacts(self) -> NDArray[np.bool_]:
        """Return which of the robot's contact sensors are pressed, (N, F)."""


def make_stepper(name: str, robot: RobotConfig, count: int, threads: int) -> Stepper:
    """Return the stepper `mujoco` or `mjx`. Raises ConfigError."""
    if name == "mujoco":
        return BatchStepper(robot, count, threads)
    if name == "mjx":
        return MjxStepper(robot, count)
    raise ConfigError(f"stepper '{name}' is unknown: choose mujoco or mjx")


class BatchStepper:
    """MuJoCo on the CPU."""

    def __init__(self, robot: RobotConfig, count: int, threads: int) -> None:
        self._model = model = robot_model(robot)
        self._batch = b = Batch(model, count, threads)
        self.qpos, self.qvel = b.bind("qpos"), b.bind("qvel")
        self._ctrl = b.bind("ctrl")
        self._sensors = b.bind("sensordata")
        self._friction, self._mass = b.expand("geom_friction"), b.expand("body_mass")
        self._touch = [model.sensor(name).adr[0] for name in robot.contact_sensors]
        self._root = int(model.jnt_bodyid[0])

    def place(self, ids: Ids, qpos: Array, qvel: Array) -> None:
        """Put robots into states."""
        self._batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self.qpos[ids], self.qvel[ids] = qpos, qvel

    def dress(self, ids: Ids, friction: Array, mass: Array) -> None:
        """Give robots their own friction and mass."""
        self._friction[ids] = self._model.geom_friction
        self._friction[ids, :, 0] *= friction[:, None]
        self._mass[ids, self._root] = self._model.body_mass[self._root] + mass

    def push(self, velocity: Array) -> None:
        """Add to the horizontal velocity of the roots."""
        self.qvel[:, :2] += velocity

    def run(self, ctrl: Array) -> None:
        """Do one physics step with each control."""
        for now in ctrl:
            self._ctrl[:] = now
            self._batch.step()

    def contacts(self) -> NDArray[np.bool_]:
        """Return which contact sensors are pressed."""
        return self._sensors[:, self._touch] > TOUCH


class MjxStepper:
    """MJX on JAX's default device, float32. Slow to compile and on CPUs; for GPUs.

    The pruned robot has few possible contacts; a model with many meshes needs pruning before it is worth running here.
    """

    def __init__(self, robot: RobotConfig, count: int) -> None:
        try:
            from mujoco import mjx
        except ImportError as error:
            raise ConfigError(f"stepper mjx: {error}; pip install 'go2-piper[mjx]'") from None
        self._mjx = mjx
        self._cpu = model = robot_model(robot)
        self._model = mjx.put_model(model)
        self._touch = np.array([model.sensor(name).adr[0] for name in robot.contact_sensors], dtype=np.int64)
        self._root = int(model.jnt_bodyid[0])
        self._friction = np.repeat(model.geom_friction[None], count, axis=0)
        self._mass = np.repeat(model.body_mass[None], count, axis=0)
        self._step = jax.jit(self._steps)
        data = mjx.make_data(self._model)
        self._data: Any = jax.tree.map(lambda x: jnp.repeat(jnp.asarray(x)[None], count, axis=0), data)
        self.qpos, self.qvel = np.array(self._data.qpos, dtype=float), np.array(self._data.qvel, dtype=float)

    def place(self, ids: Ids, qpos: Array, qvel: Array) -> None:
        """Put robots into states."""
        self.qpos[ids], self.qvel[ids] = qpos, qvel
        self._write()
        warm = self._data.qacc_warmstart.at[ids].set(0.0)
        self._data = self._data.replace(qacc_warmstart=warm)

    def dress(self, ids: Ids, friction: Array, mass: Array) -> None:
        """Give robots their own friction and mass."""
        self._friction[ids] = self._cpu.geom_friction
        self._friction[ids, :, 0] *= friction[:, None]
        self._mass[ids, self._root] = self._cpu.body_mass[self._root] + mass

    def push(self, velocity: Array) -> None:
        """Add to the horizontal velocity of the roots."""
        self.qvel[:, :2] += velocity
        self._write()

    def run(self, ctrl: Array) -> None:
        """Do one physics step with each control."""
        self._data = self._step(self._data, jnp.asarray(ctrl), self._friction, self._mass)
        self.qpos[:], self.qvel[:] = np.asarray(self._data.qpos), np.asarray(self._data.qvel)

    def contacts(self) -> NDArray[np.bool_]:
        """Return which contact sensors are pressed."""
        return np.asarray(self._data.sensordata)[:, self._touch] > TOUCH

    def _write(self) -> None:
        self._data = self._data.replace(qpos=jnp.asarray(self.qpos), qvel=jnp.asarray(self.qvel))

    def _own(self, friction: Any, mass: Any) -> Any:
        return self._model.tree_replace({"geom_friction": friction, "body_mass": mass})

    def _steps(self, data: Any, ctrl: Any, friction: Any, mass: Any) -> Any:
        def one(data: Any, ctrl: Any, friction: Any, mass: Any) -> Any:
            model = self._own(friction, mass)
            return jax.lax.scan(lambda d, u: (self._mjx.step(model, d.replace(ctrl=u)), None), data, ctrl)[0]

        return jax.vmap(one, in_axes=(0, 1, 0, 0))(data, ctrl, friction, mass)
