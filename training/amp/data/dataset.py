"""A folder of chosen clips with a manifest that says where they came from."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..motion import MotionError
from .source import SourceClip, file_format, read_clips

MANIFEST = "manifest.json"
FORMAT = "amp_expert_dataset 1"


@dataclass(frozen=True)
class Selection:
    """Which clips are taken."""

    patterns: tuple[str, ...] = ("*",)
    """Shell patterns; one of them must fit the clip's name or the file's path within its source."""
    duration: tuple[float, float] = (0.0, 1e9)
    """s"""
    speed: tuple[float, float] = (0.0, 1e9)
    """m/s, mean along the way of the root."""
    turn_rate: tuple[float, float] = (0.0, 1e9)
    """rad/s, mean, either way."""

    def refusal(self, clip: SourceClip, place: str) -> str:
        """Return why a clip is not taken; empty if it is."""
        if not any(fnmatch.fnmatch(name, pattern) for pattern in self.patterns for name in (clip.name, place)):
            return "name"
        values = {"duration": clip.duration, "speed": clip.speed, "turn_rate": abs(clip.turn_rate)}
        for name, value in values.items():
            low, high = getattr(self, name)
            if not low - 1e-9 <= value <= high + 1e-9:
                return f"{name.replace('_', ' ')} {value:.3g}"
        return ""


@dataclass(frozen=True)
class Found:
    """One clip of a source."""

    file: Path
    source: Path
    format: str
    index: int
    """Of the clip in its file."""
    clip: str
    duration: float
    speed: float
    turn_rate: float
    refusal: str
    """Why it is not taken; empty if it is."""

    @property
    def place(self) -> Path:
        """Of its file within the source."""
        return Path(self.file.name) if self.file == self.source else self.file.relative_to(self.source)


def survey(
    sources: Sequence[Path], selection: Selection, tick: Callable[[float], None] = lambda done: None
) -> tuple[list[Found], list[str]]:
    """Look at all npz files of some folders or files.

    Returns:
        all clips; and a line for each file that holds none: data sets have other files among their clips.

    Raises:
        MotionError: a source is missing, or holds no npz files.
    """
    files: list[tuple[Path, Path]] = []
    for source in sources:
        if not source.exists():
            raise MotionError(f"{source}: no such file or folder")
        inside = sorted(source.rglob("*.npz")) if source.is_dir() else [source]
        if not inside:
            raise MotionError(f"{source}: no .npz files in it")
        files += [(file, source) for file in inside]
    found, skipped = [], []
    for i, (file, source) in enumerate(files):
        try:
            kind, clips = file_format(file), read_clips(file)
        except (MotionError, OSError) as error:
            skipped.append(str(error))
        else:
            place = file.name if file == source else file.relative_to(source).as_posix()
            for index, clip in enumerate(clips):
                measures = (clip.duration, clip.speed, clip.turn_rate)
                found.append(Found(file, source, kind, index, clip.name, *measures, selection.refusal(clip, place)))
        tick((i + 1) / len(files))
    return found, skipped


def write_dataset(found: Sequence[Found], selection: Selection, out: Path, overwrite: bool = False) -> list[Path]:
    """Copy the files of the chosen clips and write the manifest; return the copies.

    Args:
        found: all clips; those with a refusal are left out.
        selection: for the manifest.
        out: the folder.
        overwrite: whether a data set that is there may be replaced; only files of its manifest are removed.

    Raises:
        MotionError: nothing chosen, or the folder is in use.
        OSError: cannot be written.
    """
    chosen = [item for item in found if not item.refusal]
    if not chosen:
        raise MotionError(f"none of the {len(found)} clips is chosen: widen the selection")
    if out.exists() and any(out.iterdir()):
        if not (out / MANIFEST).is_file():
            raise MotionError(f"{out}: not empty, and no data set of this command; choose another folder")
        if not overwrite:
            raise MotionError(f"{out}: it has a data set already; --overwrite replaces it")
        for old, _ in manifest_files(out):
            old.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    files: dict[Path, list[Found]] = {}
    for item in chosen:
        files.setdefault(item.file, []).append(item)
    copies: dict[Path, list[Found]] = {}
    for file, items in files.items():
        copy = _copy_path(items[0], out, set(copies))
        shutil.copyfile(file, copy)
        copies[copy] = items
    entries = [_entry(copy, items) for copy, items in copies.items()]
    content = {"format": FORMAT, "selection": asdict(selection), "files": entries}
    (out / MANIFEST).write_text(json.dumps(content, indent=2) + "\n")
    return list(copies)


def _copy_path(item: Found, out: Path, taken: set[Path]) -> Path:
    name = "_".join(item.place.parts)
    if out / name in taken:
        name = f"{item.source.resolve().name}_{name}"
    number = 2
    path = out / name
    while path in taken:
        path, number = out / f"{number}_{name}", number + 1
    return path


def _entry(copy: Path, items: Sequence[Found]) -> dict[str, object]:
    shown = ("index", "clip", "duration", "speed", "turn_rate")
    return {
        "file": copy.name,
        "sha256": hashlib.sha256(copy.read_bytes()).hexdigest(),
        "from": str(items[0].file),
        "format": items[0].format,
        "clips": [{name: getattr(item, name) for name in shown} for item in items],
    }


def manifest_files(folder: Path) -> list[tuple[Path, set[int]]]:
    """Return the files of a data set, each with the places of its chosen clips. Raises MotionError."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
        if content["format"] != FORMAT:
            raise MotionError(f"{path}: format is not '{FORMAT}': made by another version?")
        listed = [(str(item["file"]), {int(clip["index"]) for clip in item["clips"]}) for item in content["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, MotionError):
            raise
        raise MotionError(f"{path}: no manifest of a data set; make it anew with extract_expert_dataset") from None
    outside = [name for name, _ in listed if Path(name).name != name]
    if outside:
        raise MotionError(f"{path}: it names {outside[0]}, which is not in its folder")
    return [(folder / name, clips) for name, clips in listed]


def load_dataset(path: Path, tick: Callable[[float], None] = lambda done: None) -> list[SourceClip]:
    """Read the clips of a data set, of a folder of clips without manifest, or of one file. Raises MotionError."""
    files: list[tuple[Path, set[int] | None]]
    if not path.exists():
        raise MotionError(f"{path}: no such file or folder; extract_expert_dataset makes a data set")
    if path.is_file():
        files = [(path, None)]
    elif (path / MANIFEST).is_file():
        files = list(manifest_files(path))
    else:
        files = [(file, None) for file in sorted(path.rglob("*.npz"))]
    clips = []
    for i, (file, chosen) in enumerate(files):
        clips += [clip for k, clip in enumerate(read_clips(file)) if chosen is None or k in chosen]
        tick((i + 1) / len(files))
    if not clips:
        raise MotionError(f"{path}: no clips in it")
    return clips
