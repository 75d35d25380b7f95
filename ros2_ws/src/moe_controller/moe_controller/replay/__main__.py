"""`python -m moe_controller.replay BAG [--model FILE]`: would the policy do the same again, would another one?

Exit status: 0 identical; 1 different; 2 the recording or the model cannot be used, or nothing could be compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..contract import ContractError
from ..controller import MoeController
from ..policy import OnnxPolicy, PolicyError
from ..recording.bag_reader import Bag, BagReadError, read_bag
from ..shipped import shipped_model
from .run import Replay
from .steps import USED, steps_of
from .table import report


def controller_values(bag: Bag) -> dict[str, str]:
    """Return what the controller said about itself on `/diagnostics`, with the name of its node as "node"."""
    values: dict[str, str] = {}
    for _, message in bag.decoded("diagnostics"):
        for status in message.status:
            if any(item.key == "cmd_vel_timeout" for item in status.values):
                values.update({item.key: item.value for item in status.values}, node=status.name.partition(":")[0])
    return values


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: of the command line; None for those of this process.
    """
    parser = argparse.ArgumentParser(prog="replay", description="Feed recorded states and goals through a policy.")
    parser.add_argument("bag", metavar="BAG", type=Path, help="recording (MCAP), or the folder of a run with one")
    parser.add_argument("--model", metavar="FILE", type=Path, help="policy (ONNX); the shipped one by default")
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    try:
        return _replay(options.bag, options.model or shipped_model(), console)
    except (BagReadError, PolicyError, ContractError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2


def _replay(path: Path, model: Path, console: Console) -> int:
    policy = OnnxPolicy(model)
    bag = read_bag(path, USED)
    if bag.problem:
        console.print(f"{bag.path} is {bag.problem}: its beginning is used", highlight=False)
    steps = steps_of(bag)
    values = controller_values(bag)
    here = policy.identity()
    same = values.get("model_sha256") == here["model_sha256"]
    if "model_sha256" in values and not same:
        console.print(f"recorded with {values['model']} (sha256 {values['model_sha256'][:12]}), replayed with "
                      f"{model.name} ({here['model_sha256'][:12]}): another policy", highlight=False)  # fmt: skip
    if values.get("runtime", here["runtime"]) != here["runtime"]:
        console.print(f"recorded with {values['runtime']}, replayed with {here['runtime']}", highlight=False)
    controller = MoeController(policy, float(values.get("cmd_vel_timeout", 0.5)))
    blended = values.get("node") == "cem_planner"
    replayed = Replay(controller, bag, blended, forced=not same).run(steps)
    report(replayed, policy.contract, console)
    if not len(replayed.times):
        return 2
    return 0 if replayed.identical else 1


if __name__ == "__main__":
    sys.exit(main())
