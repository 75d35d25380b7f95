"""The cockpit's page: the scene with the gizmo, buttons, sliders and plots. Knows viser and no ROS.

Callbacks run in threads of the web server and only note wishes; the node's loop carries them out.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
import viser
from go2_piper_description.joints import GRIPPER
from scipy.spatial.transform import Rotation
from viser import uplot

from ..trajectory import IDENTITY
from .heard import Array, Heard
from .robot_scene import RobotScene, wxyz
from .wishes import Wishes

SERVICES = ("stand", "activate", "sit", "damp", "reset")
SPEEDS = (("forward", 0.0, 1.0, 0.4, "m/s"), ("turn", 0.0, 1.0, 0.6, "rad/s"))
_MOVES = (
    ("↑ forward", (1.0, 0.0, 0.0)),
    ("↓ back", (-1.0, 0.0, 0.0)),
    ("← left", (0.0, 1.0, 0.0)),
    ("→ right", (0.0, -1.0, 0.0)),
    ("⟲ turn left", (0.0, 0.0, 1.0)),
    ("⟳ turn right", (0.0, 0.0, -1.0)),
)
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2")
_OWN_TIME = 1.0
"""s after somebody has moved the gizmo in which it does not follow targets from elsewhere."""
_TOLD_TIME = 8.0
"""s that an answer stays on the page."""


class Panel:
    """The page of all browsers.

    Args:
        server: bound to an address already.
        wishes: where what people want goes.
        recording: of trajectories, see `TrajectoryRecording`.
    """

    def __init__(self, server: viser.ViserServer, wishes: Wishes, recording: Any) -> None:
        self._server, self._wishes = server, wishes
        self._touched = -np.inf
        self._plots: dict[str, tuple[tuple[str, ...], Any]] = {}
        self._told: tuple[str, float] = ("", -np.inf)
        self.recording = recording
        server.gui.configure_theme(control_width="large", show_logo=False)
        scene = server.scene
        scene.set_up_direction("+z")
        scene.add_grid("/floor", width=12.0, height=12.0, cell_size=0.25, section_size=1.0, infinite_grid=True)
        self.robot = RobotScene(scene)
        self.gizmo = scene.add_transform_controls("/target", scale=0.2, position=(0.45, 0.0, 0.45))
        self.gizmo.on_update(self._on_gizmo)
        self._add_stop()
        self._add_target()
        self._add_driving()
        self._plot_folder = server.gui.add_folder("Plots")
        server.on_client_connect(self._look_at_robot)
        server.on_client_disconnect(lambda client: wishes.release())

    # -- what people do ------------------------------------------------------------------------------------------------

    def _add_stop(self) -> None:
        gui = self._server.gui
        stop = gui.add_button("STOP", color="red", icon=viser.Icon.HAND_STOP, hint="latches until reset")
        stop.on_click(lambda event: self._wishes.call("estop"))
        self._state = gui.add_markdown("waiting for a bridge")
        for service in SERVICES:
            button = gui.add_button(service.capitalize())
            button.on_click(partial(self._on_service, service))
        self._push = gui.add_button("Push", hint="kick the simulated robot", visible=False)
        self._push.on_click(lambda event: self._wishes.call("push"))

    def _add_target(self) -> None:
        gui = self._server.gui
        with gui.add_folder("End effector"):
            self._target: Any = gui.add_vector3("target", (0.45, 0.0, 0.45), step=0.01, hint="m")
            self._turned = gui.add_checkbox("orientation", False, hint="also follow how the gizmo is turned")
            gui.add_button("Send target").on_click(lambda event: self._send_typed())
            self._gripper = gui.add_slider("gripper", 0.0, 1000.0 * GRIPPER.upper, 1.0, 0.0, hint="mm of each finger")
            self._gripper.on_update(self._on_gripper)
            record = gui.add_button("Record trajectory")
            record.on_click(lambda event: self.recording.toggle())
            self._record_button = record
            gui.add_button("Send trajectory").on_click(lambda event: self.recording.ask_to_send())

    def _add_driving(self) -> None:
        gui = self._server.gui
        with gui.add_folder("Drive (hold a button)"):
            self._speeds = [
                gui.add_slider(f"{name} speed", low, high, 0.05, start, hint=unit)
                for name, low, high, start, unit in SPEEDS
            ]
            for label, direction in _MOVES:
                button = gui.add_button(label)
                button.on_hold(partial(self._on_hold, direction), callback_hz=10.0)

    def _on_gizmo(self, event: Any) -> None:
        if event.client is None:  # moved by this program
            return
        self._touched = time.monotonic()
        self._target.value = tuple(float(x) for x in self.gizmo.position)
        self._aim()

    def _send_typed(self) -> None:
        self._touched = time.monotonic()
        self.gizmo.position = np.array(self._target.value)
        self._aim()

    def _aim(self) -> None:
        w, x, y, z = (float(part) for part in self.gizmo.wxyz)
        self._wishes.aim(np.array(self.gizmo.position), np.array((x, y, z, w) if self._turned.value else IDENTITY))

    def _on_gripper(self, event: Any) -> None:
        if event.client is not None:
            self._wishes.grip(1e-3 * float(self._gripper.value))

    def _on_service(self, service: str, event: Any) -> None:
        self._wishes.call(service)

    def _on_hold(self, direction: tuple[float, float, float], event: Any) -> None:
        ahead, turn = (float(slider.value) for slider in self._speeds)
        self._wishes.drive(np.array(direction) * np.array([ahead, ahead, turn]))

    def _look_at_robot(self, client: Any) -> None:
        target = np.array(self.robot.base.position, dtype=float)
        client.camera.look_at = target
        client.camera.position = target + np.array([1.6, -1.6, 0.9])

    # -- what they see -------------------------------------------------------------------------------------------------

    def follow(self, heard: Heard) -> None:
        """Move the robot; the gizmo too, where the target came from elsewhere."""
        if heard.has_joints:
            self.robot.pose(heard.joints, heard.base)

    def show_target(self, position: Array, orientation: Array) -> None:
        """Put the gizmo on a target, in the scene's frame, unless somebody is moving it."""
        if time.monotonic() - self._touched < _OWN_TIME:
            return
        self.gizmo.position = position
        self.gizmo.wxyz = wxyz(Rotation.from_quat(orientation))
        self._target.value = tuple(float(x) for x in position)

    def tell(self, text: str) -> None:
        """Show an answer for a while."""
        self._told = text, time.monotonic()

    def show_state(self, heard: Heard, has_push: bool, quiet: bool) -> None:
        """Renew the words on the page.

        Args:
            heard: newest values.
            has_push: whether the bridge offers it.
            quiet: no bridge answers.
        """
        told, when = self._told
        gate = heard.gate or "no bridge"
        lines = [f"**{gate}**" if heard.alive else f"**{gate}** (no states: is the bridge running?)"]
        error = heard.ee_error()
        lines.append(f"controller: {heard.controller()}")
        lines.append("EE error: " + (f"{100.0 * error:.1f} cm" if np.isfinite(error) else "no target"))
        if heard.has_joints:
            x, y, z = heard.in_scene(heard.ee_position())
            lines.append(f"EE at {x:.3f}, {y:.3f}, {z:.3f} m")
        if time.monotonic() - when < _TOLD_TIME:
            lines.append(told)
        if quiet:
            lines.append("the gate's services do not answer")
        text = "  \n".join(lines)
        if self._state.content != text:
            self._state.content = text
        if self._push.visible != has_push:
            self._push.visible = has_push
        label = "Stop recording" if self.recording.running else "Record trajectory"
        if self._record_button.label != label:
            self._record_button.label = label

    def show_plots(self, heard: Heard) -> None:
        """Renew the plots."""
        self._plot("weights", "expert weights", tuple(heard.weights), heard)
        self._plot("error", "EE error [cm]", ("EE error",), heard)
        self._plot("rates", "rates [Hz]", ("controller", "commands"), heard)
        self._plot("latency", "state to command [ms]", ("p50", "p99"), heard)

    def _plot(self, name: str, title: str, labels: tuple[str, ...], heard: Heard) -> None:
        if not labels:
            return
        data = heard.plots[name].columns(len(labels))
        known = self._plots.get(name)
        if known is not None and known[0] == labels:
            known[1].data = data
            return
        if known is not None:
            known[1].remove()
        lines = (uplot.Series(label="s"), *(uplot.Series(label=label, stroke=_COLOURS[index % 6], width=2)
                                            for index, label in enumerate(labels)))  # fmt: skip
        with self._plot_folder:
            handle = self._server.gui.add_uplot(
                data, lines, title=title, scales={"x": uplot.Scale(time=False, auto=True)}, aspect=2.2
            )
        self._plots[name] = labels, handle
