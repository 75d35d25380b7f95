"""The cockpit's page: the scene with the gizmo, buttons, sliders and plots. Knows viser and no ROS.

Callbacks only note wishes, which the node's loop carries out; the stop goes out at once. They are coroutines where
order counts: those run one after the other in the web server's thread, in the order in which the browser sent them,
while others would wait for one of viser's worker threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import viser
from go2_piper_description.joints import GRIPPER
from scipy.spatial.transform import Rotation

from ..calls import PUSH, SERVICES
from ..trajectory import IDENTITY
from .heard import Array, Heard
from .plots import Plots
from .robot_scene import RobotScene, wxyz
from .trajectory_recording import TrajectoryRecording
from .wishes import Wishes

SPEEDS = (("forward", 0.0, 1.0, 0.4, "m/s"), ("turn", 0.0, 1.0, 0.6, "rad/s"))
_MOVES = (
    ("↑ forward", (1.0, 0.0, 0.0)),
    ("↓ back", (-1.0, 0.0, 0.0)),
    ("← left", (0.0, 1.0, 0.0)),
    ("→ right", (0.0, -1.0, 0.0)),
    ("⟲ turn left", (0.0, 0.0, 1.0)),
    ("⟳ turn right", (0.0, 0.0, -1.0)),
)
_CAMERA = np.array([1.35, -1.35, 0.8])
"""Where the camera is from what it looks at, m."""
_NEAR = 0.3
"""m that the robot moves until the camera of new browsers follows."""
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
        stop: stops the robot; called in the web server's thread.
    """

    def __init__(
        self, server: viser.ViserServer, wishes: Wishes, recording: TrajectoryRecording, stop: Callable[[], None]
    ) -> None:
        self._server, self._wishes, self._stop = server, wishes, stop
        self._touched = -np.inf
        self._told: tuple[str, float] = ("", -np.inf)
        self._recording = recording
        server.gui.configure_theme(control_width="large", show_logo=False, show_share_button=False)
        server.gui.main_panel.dock_right()
        scene = server.scene
        scene.set_up_direction("+z")
        scene.configure_default_lights(cast_shadow=False)  # costs more than all the rest where a CPU renders
        scene.add_grid("/floor", width=12.0, height=12.0, cell_size=0.25, section_size=1.0, infinite_grid=True)
        self.robot = RobotScene(scene)
        self.gizmo = scene.add_transform_controls("/target", scale=0.2, position=(0.45, 0.0, 0.45))
        self.gizmo.on_update(self._on_gizmo)
        self._add_stop()
        self._add_target()
        self._add_driving()
        self.plots = Plots(server)
        self._look_at(np.zeros(3))
        server.on_client_disconnect(lambda client: wishes.release())

    # -- what people do ------------------------------------------------------------------------------------------------

    def _add_stop(self) -> None:
        gui = self._server.gui
        stop = gui.add_button("STOP", color="red", icon=viser.Icon.HAND_STOP, hint="latches until reset")
        stop.on_click(self._on_stop)
        self._state = gui.add_markdown("waiting for a bridge")
        gui.add_button_group("gate", [name.capitalize() for name in SERVICES]).on_click(self._on_service)
        self._push = gui.add_button("Push", hint="kick the simulated robot", visible=False)
        self._push.on_click(self._on_push)

    def _add_target(self) -> None:
        gui = self._server.gui
        with gui.add_folder("End effector"):
            self._target: Any = gui.add_vector3("target", (0.45, 0.0, 0.45), step=0.01, hint="m")
            self._turned = gui.add_checkbox("orientation", False, hint="also follow how the gizmo is turned")
            gui.add_button("Send target").on_click(self._on_send)
            self._gripper = gui.add_slider("gripper", 0.0, 1000.0 * GRIPPER.upper, 1.0, 0.0, hint="mm of each finger")
            self._gripper.on_update(self._on_gripper)
            self._record_button = gui.add_button("Record trajectory")
            self._record_button.on_click(self._on_record)
            self._upload = gui.add_upload_button("Load trajectory", mime_type=".json", hint="a saved trajectory")
            self._upload.on_upload(self._on_upload)
            gui.add_button("Send trajectory").on_click(self._on_send_trajectory)

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

    async def _on_stop(self, event: Any) -> None:
        self._stop()

    async def _on_gizmo(self, event: Any) -> None:
        if event.phase != "update":  # taking hold of it and letting go move nothing
            return
        self._touched = time.monotonic()
        self._target.value = tuple(float(x) for x in self.gizmo.position)
        self._aim()

    async def _on_send(self, event: Any) -> None:
        self._touched = time.monotonic()
        self.gizmo.position = np.array(self._target.value)
        self._aim()

    def _aim(self) -> None:
        w, x, y, z = (float(part) for part in self.gizmo.wxyz)
        self._wishes.aim(np.array(self.gizmo.position), np.array((x, y, z, w) if self._turned.value else IDENTITY))

    async def _on_gripper(self, event: Any) -> None:
        if event.client is not None:
            self._wishes.grip(1e-3 * float(self._gripper.value))

    async def _on_service(self, event: Any) -> None:
        name = str(event.target.value).lower()
        if name in SERVICES:
            self._wishes.call(name)

    async def _on_push(self, event: Any) -> None:
        self._wishes.call(PUSH)

    async def _on_send_trajectory(self, event: Any) -> None:
        self._recording.ask_to_send()

    # files are slow: these two run in a worker's thread

    def _on_record(self, event: Any) -> None:
        self._recording.toggle()

    def _on_upload(self, event: Any) -> None:
        self._recording.load(self._upload.value.name, self._upload.value.content)

    async def _on_hold(self, direction: tuple[float, float, float], event: Any) -> None:
        ahead, turn = (float(slider.value) for slider in self._speeds)
        self._wishes.drive(np.array(direction) * np.array([ahead, ahead, turn]))

    # -- what they see -------------------------------------------------------------------------------------------------

    def follow(self, heard: Heard) -> None:
        """Move the robot; the gizmo too, where the target came from elsewhere."""
        if heard.has_joints:
            self.robot.pose(heard.joints, heard.base)
        base = np.array(self.robot.base.position)
        if np.linalg.norm(base - self._looked_at) > _NEAR:
            self._look_at(base)

    def _look_at(self, place: Array) -> None:
        """Let browsers that come, and those that reset their view, look at a place."""
        self._looked_at = place
        camera = self._server.initial_camera
        camera.position, camera.look_at = place + _CAMERA, place + (0.1, 0.0, 0.15)

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
        label = "Stop recording" if self._recording.running else "Record trajectory"
        if self._record_button.label != label:
            self._record_button.label = label
