"""What a run of the tests has to tell besides red and green. Loaded by tests/conftest.py."""

from collections.abc import Iterator
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was tried, and how many mutants were noticed."""
    attacks, mutants = (
        list(noted(terminalreporter, "attack")),
        list(noted(terminalreporter, "mutant")),
    )
    if attacks:
        terminalreporter.section("attacks", sep="-")
        for name, layer, tries, breaches in sorted(attacks):
            shown = f"{name} ({layer})" if layer != "all" else name
            terminalreporter.line(f"{shown:48} {tries:6} tries  {breaches:4} breaches")
        total, through = sum(one[2] for one in attacks), sum(one[3] for one in attacks)
        terminalreporter.line(f"{'in all':48} {total:6} tries  {through:4} breaches")
    if mutants:
        killed = [one for one in mutants if one[3]]
        terminalreporter.section("mutants", sep="-")
        for name, layer, attack, breaches in sorted(mutants):
            fate = "killed" if breaches else "LIVES"
            terminalreporter.line(f"{fate}  {name:56} by {attack} ({layer})")
        rate = 100 * len(killed) / len(mutants)
        terminalreporter.line(f"{len(killed)} of {len(mutants)} mutants killed: {rate:.0f} %")


def noted(terminalreporter: Any, what: str) -> Iterator[Any]:
    """What the tests noted, wherever they ran."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                yield from (value for name, value in report.user_properties if name == what)
