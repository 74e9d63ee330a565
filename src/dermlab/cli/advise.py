"""The verb that comes before the first study: what to try."""

from typing import TYPE_CHECKING

from dermlab.cli.app import verbs_of
from dermlab.run.progress import console, say

if TYPE_CHECKING:
    from dermlab.advise.rules import Rule

verb = verbs_of("Experiments")


@verb()
def advise() -> None:
    """Say which recipes to try first on these data, and why.

    From what is known of labels, classes and raters, and from what was measured elsewhere. Promises and runs nothing."""
    from rich.table import Table

    from dermlab.advise.advise import advise as chosen
    from dermlab.advise.advise import caution, command_of, known, options, study_of
    from dermlab.advise.facts import read_facts

    facts = read_facts()
    advised = chosen(facts)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for row in known(facts):
        table.add_row(*row)
    console(120).print(table)
    say("\nTry first:")
    for rule in advised.first:
        _show(rule, command_of(rule, facts), rule.costs)
    say("\nLeave for later:")
    for rule in advised.later:
        _show(rule, options(rule.settings), "params.yaml has it" if rule.is_set(facts) else rule.costs)
    if advised.silent:
        say(f"\n{advised.silent} more rules do not hold here, as far as is known, or params.yaml has what they say.")
    say("Each was measured on the data that it names, and may be otherwise here. `dermlab study` tells, as far as `dermlab power` says.")
    if said := caution(facts):
        say(said)
    if study := study_of(advised.first, facts):
        if facts.uncommitted:
            differs = ", ".join(facts.uncommitted)
            say(f"A study starts from params.yaml as committed, which differs in {differs}: commit it first, or `dermlab reset`.")
        say(f"Next: {study}")
        say("      dermlab study advised")


def _show(rule: "Rule", line: str, costs: str) -> None:
    """The line to copy is never broken; the words below it are."""
    from rich.padding import Padding

    say(f"  {line}    # {costs}")
    console(120).print(Padding(f"{rule.why} {rule.measured} ({rule.where})", (0, 0, 0, 6), expand=False))
