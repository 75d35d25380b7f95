"""Show the robot of a running graph in MuJoCo's viewer: joints, base and target as the topics tell, without physics."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

import mujoco
import mujoco.viewer
import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from go2_piper_description.joints import GRIPPER, JOINT_NAMES
from go2_piper_description.links import BASE_LINK
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from robot_bridge import convert
from robot_bridge.types import Array, BaseState
from sensor_msgs.msg import JointState

from .gl import has_display
from .model import load_model

_FRAME_PERIOD = 1.0 / 50.0
_POINT = 0.025


class Viewer(Node):
    """Keeps the latest messages and poses a model after them."""

    def __init__(self) -> None:
        super().__init__("viewer")
        self.robot = load_model()
        self.data = mujoco.MjData(self.robot.model)
        mujoco.mj_resetDataKeyframe(self.robot.model, self.data, 0)
        self.base: BaseState | None = None
        self._target: tuple[Array, str] | None = None
        self.create_subscription(JointState, "joint_states", self._on_joints, 10)
        self.create_subscription(Odometry, "odom", self._on_odometry, 10)
        self.create_subscription(PoseStamped, "ee_target", self._on_target, 10)

    def _on_joints(self, message: JointState) -> None:
        position = dict(zip(message.name, message.position, strict=False))
        for name, index in zip(JOINT_NAMES, self.robot.joint_qpos, strict=True):
            if np.isfinite(position.get(name, np.nan)):
                self.data.qpos[index] = position[name]
        travel = position.get(GRIPPER.name, np.nan)
        if self.robot.gripper_qpos is not None and np.isfinite(travel):
            self.data.qpos[self.robot.gripper_qpos : self.robot.gripper_qpos + 2] = travel

    def _on_odometry(self, message: Odometry) -> None:
        base = convert.base_state(message)
        if np.all(np.isfinite(base.position)) and np.all(np.isfinite(base.orientation)):
            self.base = base

    def _on_target(self, message: PoseStamped) -> None:
        point = message.pose.position
        self._target = (np.array([point.x, point.y, point.z]), message.header.frame_id)

    def pose(self) -> None:
        """Put the model where the messages say."""
        if self.base is not None:
            start = self.robot.base_qpos
            self.data.qpos[start : start + 3] = self.base.position
            self.data.qpos[start + 3 : start + 7] = self.base.orientation[[3, 0, 1, 2]]
        mujoco.mj_forward(self.robot.model, self.data)

    def target(self) -> Array | None:
        """Return the target in the world, m, shape (3,); None where there is none."""
        if self._target is None or not np.all(np.isfinite(self._target[0])):
            return None
        position, frame = self._target
        if frame != BASE_LINK:
            return position
        rotation = self.data.xmat[self.robot.base_body].reshape(3, 3)
        world: Array = self.data.xpos[self.robot.base_body] + rotation @ position
        return world


def _show_target(scene: mujoco.MjvScene, target: Array | None) -> None:
    scene.ngeom = 0
    if target is not None:
        mujoco.mjv_initGeom(
            scene.geoms[0], mujoco.mjtGeom.mjGEOM_SPHERE, np.full(3, _POINT), target, np.eye(3).ravel(),
            np.array([0.95, 0.35, 0.10, 0.9], dtype=np.float32),
        )  # fmt: skip
        scene.ngeom = 1


def main(args: list[str] | None = None) -> int:
    """Run until the window is closed or a signal comes. Without a display: say so and end with 0."""
    if not has_display():
        print("viewer: no display (DISPLAY is not set), so no window; the rest runs on without", file=sys.stderr)
        return 0
    stopping = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        node = Viewer()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        model = node.robot.model
        with mujoco.viewer.launch_passive(model, node.data, show_left_ui=False, show_right_ui=False) as window:
            while window.is_running() and not stopping:
                due = time.monotonic() + _FRAME_PERIOD
                while (remaining := due - time.monotonic()) > 0.0:
                    executor.spin_once(timeout_sec=remaining)
                with window.lock():
                    node.pose()
                    _show_target(window.user_scn, node.target())
                window.sync()
    except ExternalShutdownException:
        pass
    except RuntimeError as error:  # a display is named but cannot be opened
        print(f"viewer: the window cannot be opened: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
