"""What people see of a plan."""

from __future__ import annotations

import numpy as np
import pytest
from cem_planner.controller import CemController, CemOutput
from cem_planner.preview import BOX, CYLINDER, SPHERE, Preview, joint_path, plan_times, trunk_path
from cem_planner.settings import PlannerSettings
from cem_planner.stance import legs_for
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEG_SLICE
from go2_piper_description.kinematics import ArmKinematics

from .fakes import STAND, FakePlanning, loaded, moved

AIM = np.concatenate([[0.02, 0.0, -0.03, 0.0, 0.1, 0.0], STAND[ARM_SLICE] + 0.1])


@pytest.fixture(scope="module")
def output() -> CemOutput:
    core = CemController(FakePlanning(lambda problem: AIM), PlannerSettings())
    core.set_target((0.5, 0.0, 0.5), "odom", loaded().base)
    for index in range(40):
        result = core.step(moved(loaded(), stamp=0.02 * index), 0.02 * index, True)
    assert result.stance is not None and result.plan_kind == "body"
    return result


def test_joints_of_a_plan_keep_the_feet_planted(output: CemOutput) -> None:
    assert output.plan is not None and output.stance is not None
    joints = joint_path(output, plan_times(output.plan, 4))
    assert joints.shape == (4, 18)
    np.testing.assert_allclose(joints[:, ARM_SLICE], np.tile(AIM[6:], (4, 1)))
    np.testing.assert_allclose(joints[0, LEG_SLICE], legs_for(AIM, output.stance.feet)[0])


def test_the_trunk_is_seen_from_where_it_is_now(output: CemOutput) -> None:
    assert output.plan is not None and output.stance is not None
    position, rotation = trunk_path(output, loaded(), plan_times(output.plan, 2))
    here = output.stance.coordinates(loaded())[0]
    np.testing.assert_allclose(position[-1], AIM[:3] - here[:3], atol=1e-9)
    assert rotation[-1][0, 2] == pytest.approx(np.sin(0.1))


def test_the_path_ends_at_the_planned_end_effector(output: CemOutput) -> None:
    preview = Preview()
    assert output.plan is not None and output.stance is not None
    position, rotation = trunk_path(output, loaded(), plan_times(output.plan, 2))
    end = position[-1] + rotation[-1] @ ArmKinematics().ee_position(AIM[6:])
    np.testing.assert_allclose(preview.ee_path(output, loaded())[-1], end)


def test_the_ghost_stands_on_its_feet(output: CemOutput) -> None:
    assert output.stance is not None
    pieces = Preview().robot(output, loaded())
    assert {piece.kind for piece in pieces} == {BOX, SPHERE, CYLINDER}
    assert all(min(piece.size) > 0.0 for piece in pieces)
    lowest = min(piece.position[2] for piece in pieces)
    planted = output.stance.feet[:, 2].mean() - output.stance.coordinates(loaded())[0][2]
    assert lowest == pytest.approx(planted - 0.262, abs=0.01)


def test_messages_name_all_joints_and_count_from_the_state(output: CemOutput) -> None:
    pytest.importorskip("rclpy")
    from cem_planner.messages import ghost_markers, plan_message
    from robot_bridge import convert

    assert output.plan is not None
    state_stamp = output.plan.stamp - 0.02
    message = plan_message(output, 4, state_stamp)
    assert tuple(message.joint_names) == JOINT_NAMES and len(message.points) == 4
    assert convert.to_seconds(message.header.stamp) == pytest.approx(state_stamp)
    assert [convert.to_seconds(point.time_from_start) for point in message.points] == pytest.approx(
        [0.02, 0.02 + 1 / 6, 0.02 + 1 / 3, 0.52]
    )
    markers = ghost_markers(output, Preview(), loaded(), convert.to_time(1.0)).markers
    assert {marker.ns for marker in markers} == {"target", "ghost", "ee_path"}
    assert len({(marker.ns, marker.id) for marker in markers}) == len(markers)
    assert all(marker.color.a < 0.5 for marker in markers if marker.ns == "ghost")
