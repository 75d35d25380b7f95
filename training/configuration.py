"""From YAML files and overrides to settings, with Hydra; every error becomes one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .structured import ConfigError

CONFIG_DIR = Path(__file__).parent / "configs"
HYDRA_ERRORS = (HydraException, OmegaConfBaseException)

_SETTING = re.compile(r"^([a-z_]+\.)*(env|runner|router)\.[^=]+=")
"""Overrides inside groups whose fields have defaults in dataclasses, so that the YAML need not list them."""


def hydra_arguments(arguments: Sequence[str]) -> list[str]:
    """Let overrides name fields that the YAML leaves out, with `++`; unknown ones are refused later, by name."""
    return [f"++{argument}" if _SETTING.match(argument) else argument for argument in arguments]


def plain(config: DictConfig) -> dict[str, Any]:
    """Return a configuration without interpolations. Raises ConfigError for values that are still missing (???)."""
    try:
        container = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from error
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def compose_config(name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the configuration that `--config-name=name` and the overrides give, as a plain dictionary.

    Raises:
        ConfigError: unknown configuration, override or choice; one line.
    """
    try:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            return plain(compose(name, hydra_arguments(overrides)))
    except HYDRA_ERRORS as error:
        raise ConfigError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """Condense an error of Hydra or OmegaConf, which speak in paragraphs."""
    text = str(error)
    if match := re.search(r"Could not override '([^']+)'", text):
        return f"unknown setting {match[1]}: --help lists them"
    if match := re.search(
        r"Could not find '([^']+)'\s+Available options in '([^']+)':\n(.*?)\n?Config search", text, re.S
    ):
        return f"no {match[1]}; {match[2]} is one of {', '.join(match[3].split())}"
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("full_key:", "object_type=", "See https:"))]
    return re.sub(r"\s+", " ", "; ".join(kept))
