"""Write the MJCF and the URDF from the tables: `python -m go2_piper_description.generate [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .mjcf import build_mjcf
from .paths import MJCF_PATH, URDF_PATH
from .urdf import build_urdf

HEADER = "<!-- Generated from joints.py and links.py by `python -m go2_piper_description.generate`: do not edit. -->\n"


def generated_files() -> Mapping[Path, str]:
    """Return what each generated file has to hold."""
    return {MJCF_PATH: HEADER + build_mjcf(), URDF_PATH: '<?xml version="1.0"?>\n' + HEADER + build_urdf()}


def stale_files() -> list[Path]:
    """Return the generated files that are missing or do not match the tables."""
    return [path for path, text in generated_files().items() if not path.is_file() or path.read_text("utf-8") != text]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with --check only tell whether they are up to date.

    Args:
        arguments: command line without the program's name; None for this process's.

    Returns:
        The exit status: 1 if --check found a stale file.
    """
    parser = argparse.ArgumentParser(prog="python -m go2_piper_description.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file is not up to date")
    check = parser.parse_args(arguments).check
    stale = stale_files()
    if check:
        for path in stale:
            print(f"{path} is not up to date: run python -m go2_piper_description.generate", file=sys.stderr)
        return 1 if stale else 0
    texts = generated_files()
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
