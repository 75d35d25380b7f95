"""Start of compiled planners: loaded ahead-of-time against cold JIT, each in a fresh process, in CPU seconds.

What both kinds of start need (Python, `import jax`, its CPU client, the planner's own modules) is measured apart and
left out of the ratio; the ratio of whole processes stands beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REQUIRED_RATIO = 15.0
REPEATS = 2
STEPS = 10
"""Of the MJX case."""

MJX_MODEL = """<mujoco>
  <option timestep="0.01" solver="Newton" iterations="5" ls_iterations="8" integrator="implicitfast"/>
  <worldbody>
    <geom type="plane" size="5 5 0.1"/>
    <body pos="0 0 0.3"><freejoint/><geom type="sphere" size="0.1" mass="2"/>
      <body pos="0.1 0 0"><joint name="a" axis="0 1 0" damping="0.1"/><geom type="capsule" size="0.03"
        fromto="0 0 0 0.2 0 0" mass="0.5" contype="0" conaffinity="0"/>
        <body pos="0.2 0 0"><joint name="b" axis="0 1 0" damping="0.1"/><geom type="sphere" size="0.04" mass="0.3"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator><position joint="a" kp="5"/><position joint="b" kp="5"/></actuator>
</mujoco>"""


@dataclass(frozen=True)
class Case:
    """A function to start, what goes into its fingerprint, and arguments."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    settings: dict[str, object]
    sources: tuple[str, ...]
    model: bytes = b""


def _reduced() -> Case:
    """The reduced backend with the planner's default settings."""
    from cem_planner.backends.reduced import backend
    from cem_planner.settings import PlannerSettings

    settings = PlannerSettings()
    return Case(
        backend.iteration(settings),
        backend.example_iteration(settings),
        dataclasses.asdict(settings),
        ("cem_planner.backends", "cem_planner.cem", "cem_planner.costs", "cem_planner.splines", "cem_planner.lag"),
    )


def _mjx() -> Case:
    """Rollouts of a small model in MJX, whose Newton steps call LAPACK; MJX is imported only to trace it."""
    import mujoco

    model = mujoco.MjModel.from_xml_string(MJX_MODEL)
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)

    def rollouts(controls: Any) -> Any:
        import jax
        from mujoco import mjx

        constant = mjx.put_model(model)

        def one(control: Any) -> Any:
            start = mjx.make_data(constant)
            step = lambda data, _: (mjx.step(constant, data.replace(ctrl=control)), None)  # noqa: E731
            return jax.lax.scan(step, start, None, length=STEPS)[0].qpos

        return jax.vmap(one)(controls)

    return Case(rollouts, (np.zeros((8, 2), np.float32),), {"steps": STEPS}, ("benchmarks.aot",), buffer.tobytes())


CASES: dict[str, Callable[[], Case]] = {"reduced": _reduced, "mjx": _mjx}


@dataclass(frozen=True)
class Start:
    """What one start cost, in CPU seconds."""

    common: float
    """Until JAX's CPU client and the caller's modules are there."""
    own: float
    """From there to the first result."""
    rung: str
    call: float
    """Of a later call, median, in s."""


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _start(name: str, directory: Path | None) -> Start:
    """Start a case in this process, which must be a fresh one; cold JIT without a directory."""
    import jax

    jax.devices()
    case = CASES[name]()
    common = _cpu()
    call: Callable[..., Any]
    if directory is None:
        call = jax.jit(case.function).lower(*case.arguments).compile()
        rung = "cold jit"
    else:
        from cem_planner.aot import build_or_load, take_fingerprint

        fingerprint = take_fingerprint(settings=case.settings, sources=case.sources, model=case.model)
        compiled = build_or_load(case.function, case.arguments, fingerprint, directory, name)
        call, rung = compiled.call, compiled.rung
    jax.block_until_ready(call(*case.arguments))
    own = _cpu() - common
    times = []
    for _ in range(20):
        begin = _cpu()
        jax.block_until_ready(call(*case.arguments))
        times.append(_cpu() - begin)
    return Start(common, own, rung, statistics.median(times))


def _measure(name: str, directory: Path | None) -> Start:
    command = [sys.executable, "-m", "benchmarks.aot", name]
    command += ["--directory", str(directory)] if directory else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # cold means cold
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {ended.stderr.strip()[-300:]}")
    return Start(**json.loads(ended.stdout.splitlines()[-1]))


def _median(starts: list[Start], field: str) -> float:
    return statistics.median(getattr(start, field) for start in starts)


def _report(name: str, repeats: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "aot"
        first = _measure(name, directory)
        cold, loaded = [], []
        for _ in range(repeats):  # in turns, so that a noisy machine disturbs both alike
            cold.append(_measure(name, None))
            loaded.append(_measure(name, directory))
        (directory / name / "executable.pickle").unlink()
        _measure(name, directory)  # has the cached compilation tried by a child process, once
        cached = [_measure(name, directory) for _ in range(repeats)]
        for entry in (directory / name).glob("cache-*"):
            entry.unlink()
        exported = _measure(name, directory)
    rows = [
        ("cold JIT", _median(cold, "own"), cold[0].rung),
        ("executable", _median(loaded, "own"), loaded[0].rung),
        ("exported module, cached compilation", _median(cached, "own"), cached[0].rung),
        ("exported module alone, saved and smoke-run", exported.own, exported.rung),
        ("first start: JIT, saved and smoke-run", first.own, first.rung),
    ]
    reference, total = rows[0][1], _median(cold, "common")
    lines = [
        f"start of {name}, CPU s to the first result, after the {total:.2f} of imports and JAX's client:",
    ]
    for title, seconds, rung in rows:
        lines.append(f"  {title:44} {seconds:7.3f}  ({reference / seconds:.1f} times cheaper than cold; {rung})")
    ratio = reference / rows[1][1]
    lines.append(
        f"  executable against cold JIT: {ratio:.1f} times ({REQUIRED_RATIO:g} wanted), with imports"
        f" {(reference + total) / (rows[1][1] + total):.1f} times"
    )
    calls = 1e3 * _median(loaded, "call"), 1e3 * _median(cold, "call")
    lines.append(f"  a call: {calls[0]:.2f} CPU ms loaded, {calls[1]:.2f} compiled here")
    return lines


def run(names: tuple[str, ...] = tuple(CASES), repeats: int = REPEATS) -> list[str]:
    """Return the lines of the report."""
    return [line for name in names for line in _report(name, repeats)]


if __name__ == "__main__":  # one start in a process of its own
    parser = argparse.ArgumentParser(prog="benchmarks.aot")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--directory", type=Path)
    chosen = parser.parse_args()
    print(json.dumps(dataclasses.asdict(_start(chosen.case, chosen.directory))))
