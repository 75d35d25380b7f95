"""A replay as text: the same, or how different."""

from __future__ import annotations

import numpy as np
from go2_piper_description.joints import JOINT_NAMES
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ..contract import Contract
from .run import Array, Replayed


def report(replayed: Replayed, contract: Contract, console: Console) -> None:
    """Print what was compared and how it differs."""
    compared = len(replayed.times)
    for reason, count in replayed.left_out.items():
        console.print(f"{count} of {replayed.steps} steps are left out: {reason}", highlight=False)
    if not compared:
        console.print("nothing could be compared")
        return
    span = replayed.times[-1] - replayed.times[0]
    active = int(replayed.executing.sum())
    head = f"{compared} steps over {span:.1f} s compared ({active} while the gate executed them)"
    if replayed.identical:
        console.print(f"{head}: identical to the last bit", highlight=False)
        return
    console.print(f"{head}: different", highlight=False)
    first = _first_difference(replayed)
    console.print(f"first difference at {replayed.times[first]:.3f} s", highlight=False)
    _joints(replayed, console)
    _weights(replayed, contract, console)


def _first_difference(replayed: Replayed) -> int:
    def differs(one: Array, other: Array) -> NDArray[np.bool_]:
        flat = (one != other) & ~(np.isnan(one) & np.isnan(other))
        return flat.reshape(len(one), -1).any(axis=1)

    rows = differs(replayed.recorded, replayed.replayed)
    rows = rows | differs(replayed.recorded_weights, replayed.replayed_weights)
    return int(np.argmax(rows))


def _joints(replayed: Replayed, console: Console) -> None:
    difference = np.abs(replayed.replayed - replayed.recorded)
    if np.all(np.isnan(difference)):
        return
    table = Table("joint target", "rms", "largest", "at", title="replayed - recorded, rad", title_justify="left")
    for index, name in enumerate(JOINT_NAMES):
        column = difference[:, index]
        worst = int(np.nanargmax(column))
        rms = float(np.sqrt(np.nanmean(column**2)))
        table.add_row(name, f"{rms:.4f}", f"{column[worst]:.4f}", f"{replayed.times[worst]:.2f} s")
    console.print(table)


def _weights(replayed: Replayed, contract: Contract, console: Console) -> None:
    recorded, own = replayed.recorded_weights, replayed.replayed_weights
    if np.all(np.isnan(recorded)):
        console.print("expert weights: the recording has none of this policy's experts")
        return
    table = Table("expert weight", "recorded", "replayed", "largest difference", title="mean", title_justify="left")
    for row, group in enumerate(contract.groups):
        for column, expert in enumerate(contract.experts):
            one, other = recorded[:, row, column], own[:, row, column]
            worst = float(np.nanmax(np.abs(other - one)))
            table.add_row(f"{group}: {expert}", f"{np.nanmean(one):.3f}", f"{np.nanmean(other):.3f}", f"{worst:.3f}")
    console.print(table)
