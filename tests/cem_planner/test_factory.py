"""Planners by name, and what is said where one cannot be had."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cem_planner import factory
from cem_planner.backends import BackendError
from cem_planner.planning import ARM, BODY
from cem_planner.settings import PlannerSettings

SMALL = PlannerSettings(num_samples=16, num_elites=4)


def test_missing_packages_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def found(name: str, package: str | None = None) -> Any:
        return None if name == "jax" else find_spec(name, package)

    monkeypatch.setattr(factory, "find_spec", found)
    with pytest.raises(BackendError, match=r"needs the package jax: install it with `pip install .\[planner\]`"):
        factory.make_planners(SMALL, "reduced", directory=tmp_path)


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
