"""The player: order of the services, timing of the goals, endings."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from go2_piper_description.joints import ARM_SLICE
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.scenario.player import ARRIVED_TIME, STOP_TIME, Ending, Player
from moe_controller.scenario.scenarios import ODOM_FRAME, Goal, goals

from .fake_link import STAND, FakeLink

HOME = ArmKinematics().ee_position(STAND[ARM_SLICE])


def play(link: FakeLink, given: Iterable[Goal], duration: float | None = None) -> Ending:
    return Player(link, given, duration).run()


def target(hold: float = 1.0) -> Goal:
    return Goal("target", hold, target=(0.4, 0.0, 0.4))


def test_stands_activates_plays_and_sits() -> None:
    link = FakeLink()
    ending = play(link, [target(), target()])
    assert ending == Ending("scenario finished", finished=True)
    assert link.requests == ["stand", "activate", "sit"]
    first, second = link.recorder.goals
    assert first.end - first.start == pytest.approx(1.0) and second.start == first.end
    assert first.completed and second.completed
    assert (link.recorder.play_start, link.recorder.play_end) == (first.start, second.end)


def played(link: FakeLink) -> list[tuple[float, str, Goal]]:
    """What was sent before the robot was stopped to sit down."""
    return [item for item in link.sent if item[2].label != "stop"]


def test_the_robot_is_stopped_before_it_sits() -> None:
    link = FakeLink()
    play(link, [Goal("forward", 2.0, velocity=(0.5, 0.0, 0.0))])
    (stop_time, kind, goal), (_, other_kind, other) = link.sent[-2:]
    assert (kind, goal.velocity) == ("velocity", (0.0, 0.0, 0.0))
    assert (other_kind, other.frame) == ("target", "base_link"), "a far target would be walked to"
    sitting = link.recorder.gate_events[-1]
    assert sitting.reason == "sit" and sitting.time - stop_time == pytest.approx(STOP_TIME)


def test_a_target_that_moves_with_the_robot_is_held_on() -> None:
    link = FakeLink()
    play(link, [target()])
    assert [kind for _, kind, goal in link.sent if goal.label == "stop"] == ["velocity"]


def test_legs_that_do_not_come_to_rest_get_other_targets() -> None:
    link = FakeLink()
    link.refusals["sit"] = "the legs move"
    play(link, [target()])
    others = [goal.target for _, kind, goal in link.sent if kind == "target" and goal.label == "stop"]
    assert len(others) >= 3 and len(set(others)) == 3
    assert link.recorder.gate_events[-1].mode == "ACTIVE"


def test_idle_operator_lets_people_stop_the_robot() -> None:
    link = FakeLink()
    link.damp_at, link.damp_reason = 3.0, "requested"
    ending = play(link, [], duration=6.0)
    assert ending.finished and link.recorder.play_end - link.recorder.play_start == pytest.approx(6.0)


def test_idle_operator_tells_of_faults() -> None:
    link = FakeLink()
    link.damp_at = 3.0
    ending = play(link, [], duration=6.0)
    assert not ending.finished and "command is stale" in ending.reason


def test_goals_are_sent_when_they_begin() -> None:
    link = FakeLink()
    play(link, [target(), target()])
    assert [time for time, _, _ in played(link)] == [goal.start for goal in link.recorder.goals]


def test_velocity_is_repeated_before_the_controller_forgets_it() -> None:
    link = FakeLink()
    play(link, [Goal("forward", 2.0, velocity=(0.5, 0.0, 0.0))])
    times = [time for time, kind, _ in played(link) if kind == "velocity"]
    assert len(times) == 20
    assert max(b - a for a, b in zip(times, times[1:], strict=False)) < 0.2


def test_duration_cuts_the_last_goal() -> None:
    link = FakeLink()
    ending = play(link, goals("reach", 0, 6.0), duration=6.0)
    assert ending == Ending("duration reached", finished=True)
    assert [goal.completed for goal in link.recorder.goals] == [True, False]
    assert link.recorder.play_end - link.recorder.play_start == pytest.approx(6.0)


def test_without_goals_the_robot_stays_active_for_the_duration() -> None:
    link = FakeLink()
    ending = play(link, [], duration=3.0)
    assert ending.finished and not played(link)
    assert link.recorder.play_end - link.recorder.play_start == pytest.approx(3.0)


def test_goal_ends_when_the_end_effector_has_stayed_near() -> None:
    link = FakeLink()
    at_home = (HOME[0], HOME[1], HOME[2] + link.height)
    play(link, [Goal("far", 12.0, target=at_home, frame=ODOM_FRAME, until_arrival=True)])
    (goal,) = link.recorder.goals
    assert goal.completed and ARRIVED_TIME <= goal.end - goal.start < ARRIVED_TIME + 0.2


def test_goal_out_of_reach_ends_after_its_time() -> None:
    link = FakeLink()
    play(link, [Goal("far", 2.0, target=(3.0, 0.0, 0.5), frame=ODOM_FRAME, until_arrival=True)])
    (goal,) = link.recorder.goals
    assert goal.completed and goal.end - goal.start == pytest.approx(2.0)


def test_leaving_active_ends_the_run_and_is_watched_until_damping() -> None:
    link = FakeLink()
    link.damp_at = 2.0
    ending = play(link, [target(10.0)])
    assert not ending.finished and "gate left ACTIVE (HOLD: command is stale)" in ending.reason
    assert [event.mode for event in link.recorder.gate_events][-2:] == ["HOLD", "DAMPING"]
    assert "sit" not in link.requests


def test_an_interrupt_after_a_fault_does_not_hide_the_fault() -> None:
    link = FakeLink()
    link.damp_at, link.interrupt_at = 2.0, 2.2
    ending = play(link, [target(10.0)])
    assert "gate left ACTIVE" in ending.reason and not ending.interrupted


@pytest.mark.parametrize(("service", "words"), [("stand", "standing up was refused"), ("activate", "activation was")])
def test_refusals_end_the_run_with_their_reason(service: str, words: str) -> None:
    link = FakeLink()
    link.refusals[service] = "two publishers of commands"
    ending = play(link, [target()])
    assert not ending.finished and words in ending.reason and "two publishers" in ending.reason
    assert not link.sent


def test_a_robot_that_does_not_stand_up_ends_the_run() -> None:
    link = FakeLink()
    link.stand_mode = "STANDING_UP"
    ending = play(link, [target()])
    assert not ending.finished and "did not stand up" in ending.reason


def test_interrupt_and_lost_link_become_endings_with_a_record() -> None:
    for name, words in (("interrupt_at", "interrupted"), ("lose_at", "no new /joint_states")):
        link = FakeLink()
        setattr(link, name, 1.0)
        ending = play(link, [target(10.0)])
        assert not ending.finished and words in ending.reason
        assert ending.interrupted == (name == "interrupt_at")
        assert len(link.recorder.goals) == 1 and not link.recorder.goals[0].completed


def test_falls_are_counted_once_each() -> None:
    link = FakeLink()
    player = Player(link, [target(1.0)], None, lambda progress: setattr(link, "height", 0.1))
    player.run()
    assert player.progress.falls == 1
