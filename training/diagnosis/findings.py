"""From figures to plain words: what is wrong with a router, the likely cause and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from .history import TrainingHistory
from .measures import NOISE, Measures

CONSTANT = 0.02
"""Weights that vary less, over samples or between situations, count as constant."""
AGREE = 0.5 * NOISE
"""Experts whose actions differ by less than this are the same for a training that explores with NOISE."""
DEAD, RARE = 0.05, 0.20
"""Mean weight below which an expert counts as dead, or as rare."""
MOSTLY = 0.9
"""Share of samples that makes a softmax saturated."""
NO_GRADIENT = 1e-6


@dataclass(frozen=True)
class Finding:
    """One thing that a person should know."""

    level: str
    """`ok`, `note` or `problem`"""
    text: str
    cause: str = ""
    remedy: str = ""


def find(measures: Measures, experts: tuple[str, ...], history: TrainingHistory | None) -> list[Finding]:
    """Return the findings, problems first.

    Args:
        measures: of the mixture.
        experts: their names.
        history: of its training, if there is any beside the checkpoint.
    """
    found = [
        *_reaction(measures, history),
        *_choices(measures),
        *_use(measures, experts),
        *_experts_agree(measures),
        *_gradient(measures),
        *_training(history),
    ]
    return sorted(found, key=lambda finding: ("problem", "note", "ok").index(finding.level))


def is_constant(measures: Measures) -> bool:
    """Whether the weights hardly depend on the observation."""
    return max(measures.spread, measures.spread_between) < CONSTANT


def _reaction(m: Measures, history: TrainingHistory | None) -> list[Finding]:
    between = f"std {m.spread_between:.3f} between {m.num_situations} situations, {m.spread:.3f} over all samples"
    if is_constant(m):
        cause, remedy = _why_constant(m, history)
        return [Finding("problem", f"The weights are constant: {between}.", cause, remedy)]
    top = sorted(m.sensitivity, key=lambda name: -m.sensitivity[name])[:3]
    reads = ", ".join(f"{name} ({m.sensitivity[name]:.3f})" for name in top)
    if m.spread_between < CONSTANT:
        return [
            Finding(
                "note",
                f"The weights vary but not with the situation: {between}. They follow {reads}.",
                "The router reacts to fast signals such as the gait, or to noise.",
                "Look whether it beats the constant blend of its mean weights (training.evaluate); if not, train it on "
                "a task with phases.",
            )
        ]
    return [Finding("ok", f"Routing reacts to its input: {between}. It follows {reads}.")]


def _why_constant(m: Measures, history: TrainingHistory | None) -> tuple[str, str]:
    """Return the likeliest cause and its remedy, the surest signs first."""
    if m.router_samples == 0:
        return "The router was never trained: its normaliser has seen nothing.", "Run the router stage."
    if history and history.gradient_router is not None and history.gradient_router < NO_GRADIENT:
        return "The router was frozen: no gradient reached it in training.", "Train it: stage=router."
    if m.expert_distance < AGREE:
        return (
            f"The experts agree (their actions differ by {m.expert_distance:.3f}): there is nothing to route.",
            "Train experts for different tasks, or use one of them.",
        )
    if max(m.sure.values()) > MOSTLY:
        return (
            "The softmax is saturated: next to no gradient comes back from it.",
            "Start nearer to uniform (router.preference=0), lower the learning rate, or raise router.temperature.",
        )
    if m.balance_gradient > m.gradients["router"]:
        return (
            f"The losses on the weights pull harder (gradient {m.balance_gradient:.2g}) than the task "
            f"({m.gradients['router']:.2g}).",
            "Lower runner.algorithm.load_balance and runner.algorithm.moe_weight_regularization.",
        )
    if m.temperature > 3.0:
        return f"The temperature {m.temperature:g} flattens every choice.", "Lower router.temperature."
    return (
        "In this task a constant blend is about as good as any routing, or the training was too short.",
        "Train on phases (env=combo_go2Piper_combined), longer, or with less noise in the actions (runner.std).",
    )


def _choices(m: Measures) -> list[Finding]:
    groups = [group for group, share in m.sure.items() if share > MOSTLY]
    if not groups or m.top_k == 1 or is_constant(m):
        return []
    return [
        Finding(
            "note",
            f"The softmax is saturated for {', '.join(groups)}: the largest weight is above 0.99 in more than "
            f"{MOSTLY:.0%} of the samples.",
            "The router picks instead of blending; little gradient comes back, so it will hardly change any more.",
            "Fine if it picks well; otherwise raise router.temperature or the losses on the weights.",
        )
    ]


def _use(m: Measures, experts: tuple[str, ...]) -> list[Finding]:
    found = []
    for index, name in enumerate(experts):
        share = sum(usage[index] for usage in m.usage.values()) / len(m.usage)
        if share < DEAD:
            found.append(
                Finding(
                    "problem",
                    f"Expert {name} is dead: mean weight {share:.3f}.",
                    "The router never tries it, or it is worse than the others in every situation.",
                    "Start nearer to uniform (router.preference=0), raise runner.algorithm.load_balance, or look at "
                    "the expert alone (training.evaluate).",
                )
            )
        elif share < RARE and len(experts) < 1.0 / RARE:
            found.append(Finding("note", f"Expert {name} is used little: mean weight {share:.3f}."))
    return found


def _experts_agree(m: Measures) -> list[Finding]:
    if m.expert_distance >= AGREE or is_constant(m):
        return []
    return [
        Finding(
            "problem",
            f"The weights vary, but two experts agree (their actions differ by {m.expert_distance:.3f}): choosing "
            "between them does nothing.",
            "They were trained on the same task, or come from the same checkpoint.",
            "Train experts for different tasks.",
        )
    ]


def _gradient(m: Measures) -> list[Finding]:
    if m.gradients["router"] >= NO_GRADIENT or m.expert_distance < AGREE:
        return []
    return [
        Finding(
            "problem",
            f"No gradient reaches the router (norm {m.gradients['router']:.1g}).",
            "A saturated softmax.",
            "Start nearer to uniform (router.preference=0), or raise router.temperature.",
        )
    ]


def _training(history: TrainingHistory | None) -> list[Finding]:
    if history is None:
        return []
    taught = []
    if history.taught is not None:
        before, after = history.taught
        text = f"The divergence from the taught shares went from {before:.3f} to {after:.3f}."
        taught = [Finding("ok" if after < before else "problem", text)]
    first, last = history.routing
    course = f"from {first:.3f} to {last:.3f}, standard error {history.error:.3f}"
    if last < first - 2.0 * history.error:
        return [*taught, Finding("ok", f"The routing loss fell in training, {course}.")]
    return [
        *taught,
        Finding(
            "problem" if last > first + 2.0 * history.error else "note",
            f"The routing loss did not fall in training: {course}.",
            "No better weights were found: the taught start was already as good, the experts cannot be blended, or the "
            "noise hides the effect of the weights.",
            "Compare with constant blends (training.evaluate); train a coalition first (stage=all); lower runner.std.",
        ),
    ]
