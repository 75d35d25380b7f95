"""Every configuration can be composed and fills the dataclasses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.settings import changed
from training.configuration import CONFIG_DIR, compose_config, one_line
from training.envs.config import EnvConfig
from training.settings import ExpertSettings, MixtureSettings
from training.structured import ConfigError, from_dict

ENVS = sorted(path.stem for path in (CONFIG_DIR / "env").glob("combo_*.yaml"))
ROUTERS = sorted(path.stem for path in (CONFIG_DIR / "router").glob("*.yaml"))


@pytest.mark.parametrize("env", ENVS)
def test_every_environment_fills_its_dataclass(env: str) -> None:
    values = compose_config("train_moe_example", [f"env={env}", "threads=3", "seed=4"])
    config = from_dict(EnvConfig, values["env"], "env")
    assert config.num_threads == 3 and config.seed == 4
    assert sum(mode.probability for mode in config.modes.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("env", [env for env in ENVS if "coalition" not in env])
def test_every_task_has_settings_of_its_training(env: str) -> None:
    settings = from_dict(ExpertSettings, compose_config("train", [f"env={env}", "name=x", "million_steps=2"]))
    assert settings.million_steps == 2.0 and settings.runner.expert


@pytest.mark.parametrize("router", ROUTERS)
def test_every_router_fills_the_settings(router: str) -> None:
    settings = from_dict(MixtureSettings, compose_config("train_moe_example", [f"router={router}", "seed=5"]))
    assert settings.router["kind"] == router
    assert settings.router_seed == 5 and settings.router_name == f"{router}_g2_s5"
    assert settings.checkpoints[0] == "runs/combo_go2Piper_locomotion/seed_5/base.safetensors"
    assert settings.coalition.env.modes.keys() == {"base_alone", "arm_alone", "split", "blend"}


def test_fields_that_the_yaml_leaves_out_can_be_overridden_and_modes_taken_away() -> None:
    overrides = ["env.randomization.push_velocity=0.7", "env.modes.both.home_target=0.2", "env.modes.walk_only=null"]
    settings = from_dict(MixtureSettings, compose_config("train_moe_example", [*overrides, "coalition.env.num_envs=8"]))
    assert settings.env.randomization.push_velocity == 0.7
    assert settings.env.modes["both"].home_target == 0.2 and "walk_only" not in settings.env.modes
    assert settings.coalition.env.num_envs == 8


@pytest.fixture(scope="module")
def walking() -> dict[str, Any]:
    """The composed configuration of the base expert."""
    return compose_config("train", ["env=combo_go2Piper_locomotion", "name=x"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "^unknown setting colour; known: name, env"),
        ({"env.modes.walk.colour": "red"}, "^env.modes.walk: unknown setting colour; known: probability"),
        ({"env.modes.walk.probability": "red"}, "^env.modes.walk.probability: wanted a number, got 'red'"),
        ({"runner.actor.distribution_cfg.learn_std": True, "runner.std": [0.8, 0.2]}, "^runner: std needs actor.distr"),
        ({"runner.learning_rate": 3}, "^runner.learning_rate: wanted a list, got 3"),
        ({"million_steps": -1}, "^million_steps must be positive, got -1"),
        ({"seed": "one"}, "^seed: wanted a whole number, got 'one'"),
    ],
)
def test_wrong_settings_are_named(walking: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as info:
        from_dict(ExpertSettings, changed(walking, changes))
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("overrides", [["env=dog"], ["colour=red"], ["seed=["]])
def test_compose_errors_are_one_line(overrides: list[str]) -> None:
    with pytest.raises(ConfigError) as info:
        compose_config("train_moe_example", overrides)
    assert "\n" not in str(info.value)


def test_condensing_keeps_the_reason() -> None:
    error = ValueError("Key 'a' is wrong\n    full_key: b.a\n    object_type=dict\n\nbecause   of this")
    assert one_line(error) == "Key 'a' is wrong; because of this"
