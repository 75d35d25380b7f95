"""Looking on while a policy plays: a line of weights now and then, and MuJoCo's window."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

import mujoco
import numpy as np
from rich.console import Console
from scipy.spatial.transform import Rotation
from sim_bridge.gl import has_display

from ..envs.go2_piper_env import Go2PiperEnv
from ..models.policy import Policy
from .rollout import Step, Watch

_BALL = 0.02
_COLOR = np.array([0.95, 0.35, 0.10, 0.8], dtype=np.float32)


def together(watches: Sequence[Watch]) -> Watch:
    """Return a watch that asks all; one that wants to stop is enough."""

    def watch(index: int, step: Step) -> bool:
        return all([one(index, step) for one in watches])

    return watch


class WeightPrinter:
    """Prints time, weights and end-effector error of the first robot once per simulated second."""

    def __init__(self, policy: Policy, period: float, console: Console) -> None:
        self._policy, self._period, self._console = policy, period, console
        self._every = max(1, round(1.0 / period))

    def __call__(self, index: int, step: Step) -> bool:
        """Print if it is time."""
        if index % self._every == 0:
            error = np.linalg.norm(step.ee_position[0] - step.target_position[0])
            parts = [
                f"{group} " + " ".join(f"{name} {w:.2f}" for name, w in zip(self._policy.experts, row, strict=True))
                for group, row in zip(self._policy.groups, step.weights[0], strict=True)
            ]
            line = f"{index * self._period:5.1f} s  {'  |  '.join(parts)}  |  EE {100 * error:.1f} cm"
            self._console.print(line, highlight=False, soft_wrap=True)
        return True


class Window:
    """MuJoCo's passive viewer on the first robot, in real time; closing it ends the rollout."""

    def __init__(self, env: Go2PiperEnv) -> None:
        import mujoco.viewer  # opens the window system, so only where a window is wanted

        self._env, self._data = env, mujoco.MjData(env.physics.model)
        self._viewer = mujoco.viewer.launch_passive(env.physics.model, self._data, show_left_ui=False)
        self._next = time.perf_counter()

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._viewer.close()

    def __call__(self, index: int, step: Step) -> bool:
        """Show the robot as it stood before the step and wait for the clock."""
        if not self._viewer.is_running():
            return False
        turn = step.base_orientation[0]
        with self._viewer.lock():
            self._data.qpos[:] = [*step.base_position[0], *turn[[3, 0, 1, 2]], *step.joint_position[0]]
            mujoco.mj_forward(self._env.physics.model, self._data)
            target = step.base_position[0] + Rotation.from_quat(turn).apply(step.target_position[0])
            scene = self._viewer.user_scn
            scene.ngeom = 1
            mujoco.mjv_initGeom(
                scene.geoms[0], mujoco.mjtGeom.mjGEOM_SPHERE, np.full(3, _BALL), target, np.eye(3).ravel(), _COLOR
            )
        self._viewer.sync()
        self._next = max(self._next + self._env.config.control_period, time.perf_counter() - 0.1)
        time.sleep(max(0.0, self._next - time.perf_counter()))
        return True


def can_show() -> bool:
    """Return whether a window can be opened here."""
    return has_display()
