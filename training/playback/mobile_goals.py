"""Goals fixed in the world that a standing robot may not reach: the base walks to them by the controller's rule."""

from __future__ import annotations

import numpy as np
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.approach import ApproachRule
from moe_controller.targets import reachable_rotation

from ..envs.goals import Array, BasePoses, Goals, Ids

NOW = np.zeros(1)


class MobileGoals:
    """Other goals with the velocity command of the approach rule, shown to the policy as the controller shows them.

    Args:
        wanted: the goals; their own commands are not used.
        num_envs: number of robots.
        rule: of the policy's region and limits.
    """

    def __init__(self, wanted: Goals, num_envs: int, rule: ApproachRule) -> None:
        self.wanted, self._rule, self._arm = wanted, rule, ArmKinematics()
        self.command = np.zeros((num_envs, 3))
        self._walking = np.zeros(num_envs, dtype=bool)

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """Start new episodes."""
        self.wanted.reset(ids, base)
        self._walking[ids] = False
        self._approach(base)

    def step(self, base: BasePoses) -> Ids:
        """Advance and command the base anew."""
        renewed = self.wanted.step(base)
        self._approach(base)
        return renewed

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return the targets as the policy is to see them: moved to where the arm reaches."""
        position, rotation = self.wanted.targets(ahead, base)
        shown = self._rule.show(position)
        turned = reachable_rotation(shown.reshape(-1, 3), rotation.reshape(-1, 3, 3), self._arm)
        return shown, turned.reshape(rotation.shape)

    def _approach(self, base: BasePoses) -> None:
        position, _ = self.wanted.targets(NOW, base)
        approach = self._rule.step(position[:, 0], self._walking)
        self.command, self._walking = approach.velocity, approach.walking
