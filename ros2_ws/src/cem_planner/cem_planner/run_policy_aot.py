"""Run the planner with the policy in MuJoCo, without ROS: `python -m cem_planner.run_policy_aot`.

Goals that the arm can reach come one after the other. Each cycle's timing is printed; the end says which frequency was
achieved, what was missed and how far the gripper was from its goals.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from moe_controller.contract import ContractError
from moe_controller.controller import MoeController
from moe_controller.policy import OnnxPolicy, PolicyError, PolicyFault
from moe_controller.shipped import shipped_model
from sim_bridge.gl import RenderError, has_display

from .backends import BackendError
from .controller import CONTROL_PERIOD, CemController, ControlFault
from .factory import BACKENDS, default_directory, make_kinematics, make_planners
from .network import NetworkError, PlanNetwork
from .plan import PlanFault
from .planning import BODY, InlinePlanning
from .settings import PlannerSettings, SettingsError
from .standalone import Result, Watch, run
from .watching import Film, Window, print_cycle

SUMMARY, VIDEO = "summary.json", "video.mp4"
NO_POLICY = "none"
DEADLINE_SHARE = 0.8
"""Of a planning period: the rest is for the policy and the simulation."""
LONGEST = 3600.0
"""s of a run."""


class UsageError(ValueError):
    """An option that cannot work; one line says which, why and what would."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    p = argparse.ArgumentParser(prog="python -m cem_planner.run_policy_aot", description=(__doc__ or "").split("\n")[0])
    d = PlannerSettings()
    p.add_argument("--model_path", default="", help="policy (ONNX); the shipped one without it; 'none' for no policy")
    p.add_argument("--precompiled_dir", type=Path, help="folder of compiled functions; the user's cache without it")
    p.add_argument("--show_reference", action="store_true", help="the plan's end as a ghost: in the window, or as mp4")
    p.add_argument("--frequency", type=float, default=d.frequency, help="plans in a second, Hz (%(default)s)")
    p.add_argument("--num_samples", type=int, default=d.num_samples, help="of a plan (%(default)s)")
    p.add_argument("--num_elites", type=int, default=d.num_elites, help="the best of them (%(default)s)")
    p.add_argument("--plan_horizon", type=float, default=d.plan_horizon, help="s (%(default)s)")
    p.add_argument("--num_knots", type=int, default=d.num_knots, help="of the spline (%(default)s)")
    p.add_argument("--iterations", type=int, default=d.iterations, help="of a plan (%(default)s)")
    p.add_argument("--recompile", action="store_true", help="compile anew, whatever is stored")
    p.add_argument("--backend", default="reduced", choices=BACKENDS, help="what rolls samples out (%(default)s)")
    p.add_argument(
        "--network", default="", help="file of a network that proposes plans (training.planner); none without"
    )
    p.add_argument("--duration", type=float, default=20.0, help="s of simulated time (%(default)s)")
    p.add_argument("--headless", action="store_true", help="no window")
    p.add_argument("--seed", type=int, default=d.seed, help="of the goals and of the noise (%(default)s)")
    p.add_argument("--out", type=Path, help=f"folder for {SUMMARY} and {VIDEO}")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it. Returns 0; 1 where the robot fell or there was no command; 2 where it could not start."""
    given = parser().parse_args(arguments)
    begin = time.perf_counter()
    try:
        settings = _settings(given)
        _check(given)
        policy = _policy(given.model_path)
        network = PlanNetwork(given.network, settings) if given.network else None
        planners = make_planners(
            settings, given.backend, directory=given.precompiled_dir or default_directory(),
            recompile=given.recompile, log=print,
        )  # fmt: skip
    except (
        UsageError,
        SettingsError,
        NetworkError,
        BackendError,
        PlanFault,
        PolicyError,
        PolicyFault,
        ContractError,
    ) as error:
        return _refuse(str(error))
    planning = InlinePlanning(planners, DEADLINE_SHARE * settings.period, make_kinematics(settings), network)
    core = CemController(planning, settings, policy)
    backend = planners[BODY].backend
    ready = time.perf_counter() - begin
    start: dict[str, object] = {"rung": backend.rung, "rung_s": backend.startup_seconds, "start_s": ready}
    print(f"ready after {ready:.2f} s; {settings.frequency:g} Hz, {given.duration:g} s of simulated time")
    if settings.period < CONTROL_PERIOD - 1e-6:
        _warn(f"frequency {settings.frequency:g} Hz: commands are made at {1 / CONTROL_PERIOD:g} Hz, no more plans are")
    result, fault = _run(core, given)
    summary = _summary(given, settings, planning, result, start)
    _report(summary)
    if warning := planning.warning(after=1):
        _warn(warning)
    if given.out is not None:
        (given.out / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")
    if fault:
        _warn(fault)
    return 1 if result.fell or fault else 0


def _settings(given: argparse.Namespace) -> PlannerSettings:
    names = ("frequency", "num_samples", "num_elites", "plan_horizon", "num_knots", "iterations", "seed")
    return PlannerSettings(**{name: getattr(given, name) for name in names})


def _check(given: argparse.Namespace) -> None:
    if not (math.isfinite(given.duration) and 0.0 < given.duration <= LONGEST):
        raise UsageError(f"duration is {given.duration:g} s: it must be above 0 and at most {LONGEST:g}")
    if given.show_reference and given.out is None and (given.headless or not has_display()):
        raise UsageError("show_reference without a window makes a film: say where with --out DIR")
    if given.out is not None:
        try:
            given.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write to {given.out} ({error.strerror}): choose another folder") from None


def _policy(path: str) -> MoeController | None:
    if path == NO_POLICY:
        return None
    policy = OnnxPolicy(path or shipped_model())
    controller = MoeController(policy)
    policy.warm_up()
    return controller


def _run(core: CemController, given: argparse.Namespace) -> tuple[Result, str]:
    """Run with everyone who looks on; returns the result, and in one line why it ended early."""
    watches: list[Watch] = [print_cycle]
    window, film = None, None
    if not given.headless and has_display():
        try:
            window = Window(given.show_reference)
            watches.append(window)
        except RuntimeError as error:
            _warn(f"no window: {' '.join(str(error).split())}")
    elif not given.headless:
        _warn("no display, so no window")
    if given.show_reference and window is None and given.out is not None:
        film = Film()
        watches.append(film)
    result, fault = Result(), ""
    try:
        run(core, result, given.duration, given.seed, lambda cycle: all([watch(cycle) for watch in watches]))
    except (ControlFault, PolicyFault) as error:
        fault = str(error)
    except KeyboardInterrupt:
        fault = "interrupted"
    finally:
        if window is not None:
            window.close()
    if film is not None:
        try:
            print(f"{film.write(given.out / VIDEO)} frames in {given.out / VIDEO}")
        except RenderError as error:
            _warn(f"no film: {error}")
    return result, fault


def _summary(
    given: argparse.Namespace,
    settings: PlannerSettings,
    planning: InlinePlanning,
    result: Result,
    start: dict[str, object],
) -> dict[str, object]:
    """Return everything as plain values: ms, mm, degrees, s, Hz."""
    position = 1e3 * np.array(result.position_errors)
    turned = np.degrees(result.orientation_errors)
    return {
        **planning.statistics.summary(), **start, "seed": given.seed, "num_samples": settings.num_samples,
        "num_elites": settings.num_elites, "plan_horizon": settings.plan_horizon, "num_knots": settings.num_knots,
        "iterations": settings.iterations, "duration_s": result.seconds, "wall_s": result.wall_seconds,
        "goals": len(position), "falls": int(result.fell),
        "settled_ee_error_mm": {"median": _of(np.median, position), "max": _of(np.max, position),
                                "each": position.tolist()},
        "settled_ee_angle_deg": {"median": _of(np.median, turned), "max": _of(np.max, turned)},
    }  # fmt: skip


def _of(function: object, values: np.ndarray) -> float | None:
    return float(function(values)) if len(values) else None  # type: ignore[operator]


def _report(summary: dict[str, object]) -> None:
    def text(name: str, digits: int = 2) -> str:
        value = summary[name]
        return f"{value:.{digits}f}" if isinstance(value, float) else "-" if value is None else str(value)

    error = summary["settled_ee_error_mm"]
    assert isinstance(error, dict)
    settled = "none had its whole time" if error["median"] is None else (
        f"settled EE error median {error['median']:.1f} mm, max {error['max']:.1f} mm"
    )  # fmt: skip
    print(f"frequency {text('frequency_achieved', 1)} of {text('frequency', 1)} Hz; {text('plans')} plans, "
          f"{text('misses')} missed, {text('faults')} faults; samples used {text('samples_used_mean', 0)}")  # fmt: skip
    print(f"plan p50 / p95 / p99 {text('plan_ms_p50')} / {text('plan_ms_p95')} / {text('plan_ms_p99')} ms: "
          f"NN {text('nn_ms_p50')}, CEM {text('cem_ms_p50')}, other {text('other_ms_p50')}")  # fmt: skip
    print(f"start: rung {text('rung')} in {text('rung_s')} s, {text('start_s')} s in all")
    print(f"{text('goals')} goals: {settled}; falls {text('falls')}")


def _refuse(line: str) -> int:
    _warn(line)
    return 2


def _warn(line: str) -> None:
    print(f"run_policy_aot: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
