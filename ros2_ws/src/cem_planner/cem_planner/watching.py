"""Looking on while the planner runs without ROS: a line for each cycle, MuJoCo's window, a film of it all."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
from sim_bridge.ghost import add, pose
from sim_bridge.model import load_model
from sim_bridge.render import Recording, render_video

from .standalone import Cycle

FRAME_RATE = 20
"""Frames per second of the film. Software rendering takes some tenths of a second for each."""
_BALL = 0.025
_BALL_COLOR = np.array([0.95, 0.35, 0.10, 0.9], dtype=np.float32)


def print_cycle(cycle: Cycle) -> bool:
    """Print where a cycle's time went."""
    plan = cycle.output.plan
    if plan is None:
        timing = "no plan"
    else:
        s = plan.seconds
        timing = f"total {1e3 * s.total:.2f} ms: NN {1e3 * s.nn:.2f}, CEM {1e3 * s.cem:.2f}, other {1e3 * s.other:.2f}"
        timing += f"; {plan.samples_used} samples" + (", late" if plan.missed else "")
        timing += "" if cycle.output.new_plan else " (plan of an earlier cycle)"
    print(
        f"cycle {cycle.index}: {cycle.time:.2f} s, qpos (25,), qvel (24,), control {cycle.output.position.shape}, "
        f"{cycle.output.driver}, {timing}, EE {1e3 * cycle.position_error:.1f} mm"
    )
    return True


class Window:
    """MuJoCo's passive viewer; closing it ends the run."""

    def __init__(self, ghost: bool) -> None:
        """Open it. Raises RuntimeError where the window system cannot be reached."""
        import mujoco.viewer  # opens the window system, so only where a window is wanted

        self._ghost, self._robot = ghost, load_model()
        model = self._robot.model
        self._data, self._planned = mujoco.MjData(model), mujoco.MjData(model)
        self._viewer = mujoco.viewer.launch_passive(model, self._data, show_left_ui=False, show_right_ui=False)

    def __call__(self, cycle: Cycle) -> bool:
        """Show the robot, its goal and where the plan wants to be."""
        if not self._viewer.is_running():
            return False
        base, scene = cycle.state.base, self._viewer.user_scn
        assert base is not None
        with self._viewer.lock():
            pose(self._robot, self._data, base.position, base.orientation, cycle.state.position)
            scene.ngeom = 1
            mujoco.mjv_initGeom(scene.geoms[0], mujoco.mjtGeom.mjGEOM_SPHERE, np.full(3, _BALL), cycle.goal,
                                np.eye(3).ravel(), _BALL_COLOR)  # fmt: skip
            if self._ghost and cycle.ghost is not None:
                pose(self._robot, self._planned, *cycle.ghost)
                add(scene, self._robot, self._planned)
        self._viewer.sync()
        return True

    def close(self) -> None:
        """Close the window."""
        self._viewer.close()


class Film:
    """Keeps what a film needs; `write` renders it after the run."""

    def __init__(self) -> None:
        self._cycles: list[Cycle] = []

    def __call__(self, cycle: Cycle) -> bool:
        """Remember a cycle."""
        self._cycles.append(cycle)
        return True

    def write(self, path: Path) -> int:
        """Write the film as mp4 and return its number of frames; 0 without a cycle. Raises RenderError."""
        cycles = self._cycles
        if not cycles:
            return 0
        bases = [cycle.state.base for cycle in cycles if cycle.state.base is not None]
        nowhere = np.full(3, np.nan), np.full(4, np.nan), np.full(18, np.nan)
        ghosts = [cycle.ghost or nowhere for cycle in cycles]
        recording = Recording(
            time=np.array([cycle.time for cycle in cycles]),
            base_position=np.array([base.position for base in bases]),
            base_orientation=np.array([base.orientation for base in bases]),
            joints=np.array([cycle.state.position for cycle in cycles]),
            gripper=np.zeros(len(cycles)),
            target=np.array([cycle.goal for cycle in cycles]),
            ghost=tuple(np.array([ghost[part] for ghost in ghosts]) for part in (0, 1, 2)),  # type: ignore[arg-type]
        )

        def caption(row: int) -> str:
            return f"{cycles[row].time:.1f} s  {1e3 * cycles[row].position_error:.0f} mm from the goal"

        return render_video(recording, path, fps=FRAME_RATE, width=640, height=360, caption=caption)
