"""From YAML files and overrides to settings, with Hydra; every error becomes one line."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
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


def hydra_main(
    program: str,
    run: Callable[[DictConfig], None],
    arguments: Sequence[str],
    config_path: Path,
    config_name: str,
    expected: tuple[type[Exception], ...],
) -> int:
    """Let Hydra run something once, or once per job of a multirun.

    Args:
        program: its name in the help.
        run: does what one configuration says.
        arguments: of the command line.
        config_path: folder of the configurations.
        config_name: the one that is taken if the arguments do not say another.
        expected: errors of `run` whose message is for the user.

    Returns:
        the exit status.

    Raises:
        what `run` raises, and HYDRA_ERRORS.
    """
    failures: list[Exception] = []

    @functools.wraps(run)  # Hydra names the job by its module
    def job(config: DictConfig) -> None:
        try:
            run(config)
        except expected as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise  # Hydra then says which job it was
            failures.append(error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing a traceback
    before, sys.argv = sys.argv, [program, *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(config_path), config_name=config_name)(job)()
    except SystemExit as end:  # --help, or an option that argparse does not know
        return int(end.code or 0)
    finally:
        sys.argv = before
    if failures:
        raise failures[0]
    return 0


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
