"""Planners by name, and what is said where one cannot be had."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cem_planner import factory
from cem_planner.backends import BackendError
from cem_planner.centred import CentredPlanner
from cem_planner.planning import ARM, BODY
from cem_planner.settings import PlannerSettings

SMALL = PlannerSettings(num_samples=16, num_elites=4)


@pytest.fixture
def without_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str, package: str | None = None) -> Any:
        return None if name == "jax" else find_spec(name, package)

    monkeypatch.setattr(factory, "find_spec", found)


@pytest.mark.usefixtures("without_jax")
def test_without_jax_the_last_rung_is_c_and_says_what_to_install(tmp_path: Path) -> None:
    lines: list[str] = []
    planners = factory.make_planners(SMALL, "reduced", directory=tmp_path, log=lines.append)
    assert lines[0].startswith("backend 'reduced' needs the package jax: install it with `pip install .[planner]`")
    assert "taking rung c" in lines[0] and lines[1].startswith("backend mujoco (c) after ")
    for kind in (BODY, ARM):
        plan = planners[kind].plan(factory.standing_problem(), 0.0)
        assert (plan.backend, plan.rung, plan.samples_used) == ("mujoco", "c", 24)
    assert abs(plan.knots[:, :6]).max() < 1e-5  # of the arm


def test_a_jax_that_is_broken_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ImportError("libjaxlib.so: cannot open\nshared object file")

    monkeypatch.setattr(factory, "_reduced", broken)
    lines: list[str] = []
    planners = factory.make_planners(SMALL, directory=tmp_path, log=lines.append)
    assert planners[BODY].backend.rung == "c"
    assert lines[0].startswith("backend 'reduced' cannot start: libjaxlib.so: cannot open shared object file; taking")


@pytest.mark.usefixtures("without_jax")
def test_what_was_asked_for_by_name_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="backend 'mjx' needs the package jax"):
        factory.make_planners(SMALL, "mjx", directory=tmp_path)


def test_mujoco_rolls_out_around_the_reduced_plan(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    rollouts = factory.Rollouts(samples=10, elites=3)
    planners = factory.make_planners(SMALL, "mujoco", directory=tmp_path, rollouts=rollouts)
    body = planners[BODY]
    assert isinstance(body, CentredPlanner) and body.quick.backend.name == "reduced"
    assert body.plan(factory.standing_problem(), 0.0).samples_used == 10
    assert planners[ARM].backend.name == "reduced"


def test_more_threads_than_processors_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    with pytest.raises(BackendError, match="999 threads: from 1 to the"):
        factory.make_planners(SMALL, "mujoco", directory=tmp_path, rollouts=factory.Rollouts(threads=999))


def test_mjx_starts_by_the_ladder_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rollouts, which take a minute to compile, are replaced by a sum; everything around them is real."""
    pytest.importorskip("jax")
    from cem_planner.backends import mjx

    def function(*_: Any) -> Any:
        return lambda facts, weights, knots: ((knots**2).sum((-2, -1)) * weights[0], (knots[0] ** 2).sum())

    monkeypatch.setattr(mjx, "function", function)
    lines: list[str] = []
    for rung in ("jit", "executable"):
        planners = factory.make_planners(SMALL, "mjx", directory=tmp_path, log=lines.append)
        assert (planners[BODY].backend.name, planners[BODY].backend.rung) == ("mjx", rung)
        assert planners[ARM].backend.name == "reduced"
    assert any("mjx on a CPU" in line for line in lines)


def test_unknown_backend_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="backend 'gpu' is unknown: choose one of reduced, mujoco, mjx"):
        factory.make_planners(SMALL, "gpu", directory=tmp_path)


def test_compiled_functions_go_to_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert factory.default_directory() == Path("/somewhere/go2_piper/compiled")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert factory.default_directory() == Path("/home/me/.cache/go2_piper/compiled")
    monkeypatch.delenv("HOME")
    assert factory.default_directory().is_absolute()


def test_the_second_start_loads_what_the_first_one_compiled(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    lines: list[str] = []
    first = factory.make_planners(SMALL, directory=tmp_path, log=lines.append)
    second = factory.make_planners(SMALL, directory=tmp_path, log=lines.append)
    assert set(first) == {BODY, ARM}
    assert second[BODY].backend.rung == "executable"
    assert first[BODY].backend is first[ARM].backend
    assert lines[-1].startswith("backend reduced (executable)")
    plans = [planners[BODY].plan(factory.standing_problem(), 0.0) for planners in (first, second)]
    assert plans[0].cost == pytest.approx(plans[1].cost, rel=1e-5)
