"""Live plots of the cockpit, in a panel of their own."""

from __future__ import annotations

from typing import Any

import viser
from viser import uplot

from .heard import Heard

WIDTH = 300.0
"""px"""
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2")


class Plots:
    """Expert weights, error of the end effector, rates and latency over the last half minute."""

    def __init__(self, server: viser.ViserServer) -> None:
        self._gui = server.gui
        self._shown: dict[str, tuple[tuple[str, ...], Any]] = {}
        """Labels and handle, by name of the history."""
        panel = server.gui.add_panel()
        self._tab = panel.add_tab("Plots", viser.Icon.CHART_LINE)
        panel.dock_left()
        panel.set_width(WIDTH)

    def show(self, heard: Heard) -> None:
        """Renew the plots."""
        self._plot("weights", "expert weights", tuple(heard.weights), heard)
        self._plot("error", "EE error [cm]", ("EE error",), heard)
        self._plot("rates", "rates [Hz]", ("controller", "commands"), heard)
        self._plot("latency", "state to command [ms]", ("p50", "p99"), heard)

    def _plot(self, name: str, title: str, labels: tuple[str, ...], heard: Heard) -> None:
        if not labels:
            return
        data = heard.plots[name].columns(len(labels))
        known = self._shown.get(name)
        if known is not None and known[0] == labels:
            known[1].data = data
            return
        if known is not None:
            known[1].remove()
        lines = (uplot.Series(label="s"), *(uplot.Series(label=label, stroke=_COLOURS[index % 6], width=2)
                                            for index, label in enumerate(labels)))  # fmt: skip
        with self._tab:
            handle = self._gui.add_uplot(
                data, lines, title=title, scales={"x": uplot.Scale(time=False, auto=True)}, aspect=2.3
            )
        self._shown[name] = labels, handle
