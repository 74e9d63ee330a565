"""Which rules hold of these data, and what is known of them, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dermlab.advise.facts import AUTO, EXPECTED, Facts
from dermlab.advise.rules import LEAVE, MEASURED_WITH, TRY, Rule
from dermlab.run.progress import some

SEEDS = "17-21"  # as most tables of docs/results.md


@dataclass(frozen=True)
class Advised:
    first: tuple[Rule, ...]  # to try
    later: tuple[Rule, ...]  # to leave for later, also where params.yaml has it
    silent: int  # rules that do not hold as far as is known here, or whose recipe params.yaml has


def advise(facts: Facts) -> Advised:
    """Both in the order of the rules."""
    first = tuple(rule for rule in TRY if rule.holds(facts) and not rule.is_set(facts))
    later = tuple(rule for rule in LEAVE if rule.holds(facts))
    return Advised(first, later, len(TRY) + len(LEAVE) - len(first) - len(later))


def command_of(rule: Rule, facts: Facts) -> str:
    """A line to copy."""
    return rule.command(facts) if rule.command else f"dvc exp run {options(rule.settings_for(facts))}"


def options(settings: Mapping[str, Any]) -> str:
    return " ".join(f"-S {key}={value}" for key, value in settings.items())


def study_of(first: Sequence[Rule], facts: Facts) -> str:
    """The command that writes the recipes as one study, which sets each against the baseline; empty without any."""
    named = [(rule.name, rule.settings_for(facts)) for rule in first if rule.settings]
    words = (f"{name}:{','.join(f'{key}={value}' for key, value in settings.items())}" for name, settings in named)
    return f"dermlab new-recipe advised baseline {' '.join(words)} --seeds {SEEDS}" if named else ""


def caution(facts: Facts) -> str:
    """What no rule was measured with, though params.yaml has it; empty without any."""
    others = [f"{key} {facts.params[key]}" for key, value in MEASURED_WITH.items() if facts.params[key] != value]
    usual = ", ".join(f"{key} {value}" for key, value in MEASURED_WITH.items())
    return f"Each was measured with {usual}, but for what it sets, and not with {' or '.join(others)}." if others else ""


def known(facts: Facts) -> list[tuple[str, str]]:
    """(what, what is known of it), and what is missing with how to make it."""
    lines = [("wrong labels", _noise(facts))]
    if on_purpose := facts.params["catalog.noise_rate"]:
        lines.append(("of these", f"{on_purpose:.1%} of the training labels are made wrong on purpose, as catalog.noise_rate says"))
    if facts.rows:
        *_, (rarest, least) = facts.rows.items()
        commonest, most = next(iter(facts.rows.items()))
        rows = f"{len(facts.rows)}, with {some(sum(facts.rows.values()), 'training row', 'training rows')}"
        counted = f"{rows}, from {most:,} ({commonest}) to {least:,} ({rarest})" if len(facts.rows) > 1 else f"{rows} ({commonest})"
        small = some(facts.small, "is", "are")
        lines.append(("classes", f"{counted}; {small} too small for guarded cleaning to drop a row"))
        patients = ", each all photos of a patient" if facts.by_patient else ""
        lines.append(("cases", f"{facts.cases:,}{patients}; {facts.of_several:,} of several photos that bear one label"))
    if facts.several_labels:
        lines.append(("raters", f"differ{_alpha(facts)}"))
    lines.append(("network", _network(facts)))
    return [*lines, *((what, f"not known yet: {how}") for what, how in facts.missing.items())]


def _noise(facts: Facts) -> str:
    noise = facts.noise
    if noise.interval:
        low, high = noise.interval
        param = facts.params[EXPECTED]
        other = f"; {EXPECTED} says {param:.1%}, outside of it" if param != AUTO and not low <= param <= high else ""
        found = f"{noise.share:.1%} of the training labels, 95 % interval {low:.1%} to {high:.1%}"
        return f"{found}, as those see it who reviewed rows drawn by chance{other}"
    if noise.share is not None:
        return f"{noise.share:.1%} of the training labels, as {EXPECTED} says{_waiting(facts)}"
    bound = "" if noise.at_least is None else f"; at least {noise.at_least:.1%}, as the labels show by themselves"
    return f"nobody knows how many{bound}{_waiting(facts)}"


def _waiting(facts: Facts) -> str:
    if facts.noise.waiting is None:
        return ""
    waiting, drawn = facts.noise.waiting
    return f"; of {drawn} rows drawn by chance {some(waiting, 'waits', 'wait')} for an answer"


def _alpha(facts: Facts) -> str:
    if facts.alpha is None:
        return ""
    value, interval = facts.alpha
    return f"; of the test cases Krippendorff's alpha is {value:.2f}" + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def _network(facts: Facts) -> str:
    blocks, epochs = facts.params["train.trainable_blocks"], facts.params["train.finetune_epochs"]
    what = f"its last {some(blocks, 'block', 'blocks')}" if blocks else "all of it"
    how = " by lora" if facts.params["train.adapt"] == "lora" else ""
    trained = "a head on frozen features" if facts.frozen else f"{what} fine-tuned{how}, {some(epochs, 'epoch', 'epochs')}"
    return f"{facts.params['backbone']}, {trained}; variant {facts.params['variant']}, loss {facts.params['loss']}"
