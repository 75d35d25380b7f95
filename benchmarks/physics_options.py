"""How exact and how costly rollouts are with each option: the table behind `PhysicsOptions`.

`python -m benchmarks.physics_options`. Random commands of half a second around a standing robot; the truth is the
description's whole model at 5 ms with dry friction and all contacts, from the same state.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import mujoco
import numpy as np
from cem_planner import splines
from cem_planner.backends.physics.model import PhysicsOptions, rollout_model
from cem_planner.executor import GravityModel
from cem_planner.settings import PlannerSettings
from go2_piper_description.joints import joint_array
from go2_piper_description.mjcf import build_mjcf
from mujoco.rollout import Rollout

SAMPLES, REPEATS, SETTLE = 32, 10, 3.0
LEG_SPREAD, ARM_SPREAD = 0.03, 0.1
"""rad of the random knots."""

Tweak = Callable[[mujoco.MjModel], None]
_SETTINGS = PlannerSettings()


def _set(**options: int) -> Tweak:
    def tweak(model: mujoco.MjModel) -> None:
        for name, value in options.items():
            setattr(model.opt, name, value)

    return tweak


def _islands(model: mujoco.MjModel) -> None:
    model.opt.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_ISLAND)


def _no_refsafe(model: mujoco.MjModel) -> None:
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_REFSAFE)


CASES: tuple[tuple[str, dict[str, object], Tweak], ...] = (
    ("default, 10 ms", {}, _set()),
    ("5 ms", {"substeps": 4}, _set()),
    ("20 ms", {"substeps": 1}, _set()),
    ("20 ms, contacts no softer", {"substeps": 1}, _no_refsafe),
    ("20 ms, Euler", {"substeps": 1, "integrator": "euler"}, _set()),
    ("10 ms, Euler", {"integrator": "euler"}, _set()),
    ("10 ms, dry friction", {"dry_friction": True}, _set()),
    ("10 ms, Newton 3, ls 4", {"iterations": 3, "ls_iterations": 4}, _set()),
    ("10 ms, Newton 10, ls 20", {"iterations": 10, "ls_iterations": 20}, _set()),
    ("10 ms, elliptic cones", {}, _set(cone=int(mujoco.mjtCone.mjCONE_ELLIPTIC))),
    ("10 ms, CG 5", {}, _set(solver=int(mujoco.mjtSolver.mjSOL_CG))),
    ("10 ms, PGS 5", {}, _set(solver=int(mujoco.mjtSolver.mjSOL_PGS))),
    ("10 ms, islands", {}, _islands),
)


def _commands(time_step: float, base: np.ndarray) -> np.ndarray:
    spread = np.array([LEG_SPREAD] * 12 + [ARM_SPREAD] * 6)
    knots = np.random.default_rng(0).normal(size=(SAMPLES, _SETTINGS.num_knots, 18)) * spread
    times = (np.arange(round(_SETTINGS.plan_horizon / time_step)) + 0.5) * time_step
    basis = splines.basis(times, _SETTINGS.plan_horizon, _SETTINGS.num_knots, _SETTINGS.spline)
    return base + np.einsum("tk,nkj->ntj", basis, knots)


def _ends(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
    """Return `ee_link` and the trunk in each row of qpos, m, shape (n, 2, 3)."""
    data, found = mujoco.MjData(model), []
    for row in qpos:
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        found.append([data.site("ee_link").xpos.copy(), row[:3].copy()])
    return np.array(found)


def _simulate(
    model: mujoco.MjModel, qpos: np.ndarray, qvel: np.ndarray, base: np.ndarray
) -> tuple[np.ndarray, float, int]:
    """Return the ends of the rollouts, CPU seconds of all of them, and their steps."""
    commands = _commands(model.opt.timestep, base)
    start = np.tile(np.concatenate([[0.0], qpos, qvel]), (SAMPLES, 1))
    state = np.empty((*commands.shape[:2], start.shape[1]))
    pool, data, seconds = Rollout(nthread=0), [mujoco.MjData(model)], []
    for _ in range(REPEATS):
        begin = time.process_time()
        pool.rollout(model, data, start, commands, state=state)
        seconds.append(time.process_time() - begin)
    return _ends(model, state[:, -1, 1 : 1 + model.nq]), min(seconds), commands.shape[1]


def run() -> list[str]:
    """Return the lines of the table."""
    whole = mujoco.MjModel.from_xml_string(build_mjcf(None, fixed_gripper=True))
    stand = joint_array("stand")
    base = stand + GravityModel().torques(np.eye(3), stand)[0] / joint_array("kp")
    data = mujoco.MjData(whole)
    mujoco.mj_resetDataKeyframe(whole, data, whole.key("stand").id)
    data.ctrl[:] = base
    for _ in range(round(SETTLE / whole.opt.timestep)):
        mujoco.mj_step(whole, data)
    qpos, qvel = data.qpos.copy(), data.qvel.copy()
    truth, _, _ = _simulate(whole, qpos, qvel, base)
    lines = [f"{'rollouts of 0.5 s':28} us/step  ms/rollout  EE error mean / max mm  trunk mean mm"]
    for name, options, tweak in CASES:
        model = rollout_model(_SETTINGS, PhysicsOptions(**options))  # type: ignore[arg-type]
        model.geom_pos[model.geom("floor").id, 2] = 0.0  # the truth's world
        tweak(model)
        ends, seconds, steps = _simulate(model, qpos, qvel, base)
        error = 1e3 * np.linalg.norm(ends - truth, axis=-1)
        lines.append(
            f"{name:28} {1e6 * seconds / SAMPLES / steps:7.1f}  {1e3 * seconds / SAMPLES:10.2f}  "
            f"{error[:, 0].mean():10.2f} / {error[:, 0].max():6.1f}  {error[:, 1].mean():16.2f}"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
    sys.exit(0)
