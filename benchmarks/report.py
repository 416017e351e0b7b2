"""What a run found: a table for people, JSON for programs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median, quantiles

Measured = tuple[float, float | None]


@dataclass(slots=True)
class Figures:
    """One request's figures, round by round."""

    name: str
    start_seconds: float
    rates: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    cpu_ratios: list[float] = field(default_factory=list)
    megabytes: float | None = None

    def add(self, measured: Measured, hellos: tuple[Measured, ...]) -> None:
        """Keep a round: what was measured, and bare Flask just before and after."""
        rate, cpu = measured
        self.rates.append(rate)
        self.ratios.append(rate / mean([hello[0] for hello in hellos]))
        neighbours = [hello[1] for hello in hellos if hello[1]]
        if cpu and neighbours:
            self.cpu.append(cpu)
            self.cpu_ratios.append(mean(neighbours) / cpu)

    def summary(self) -> dict[str, object]:
        return {
            "requests a second": round(median(self.rates), 1),
            "ratio to bare Flask": round(median(self.ratios), 3),
            "ratio, quartiles": [round(one, 3) for one in quartiles(self.ratios)],
            "server CPU ms a request": rounded(self.cpu, 1000),
            "CPU ratio to bare Flask": rounded(self.cpu_ratios),
            "start to first answer, seconds": round(self.start_seconds, 2),
            "megabytes of a worker": self.megabytes and round(self.megabytes),
        }


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def rounded(values: list[float], times: float = 1) -> float | None:
    return round(median(values) * times, 3) if values else None


def quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4)
    return low, high


def as_json(facts: dict[str, object], figures: list[Figures]) -> str:
    found = {one.name: one.summary() for one in figures}
    return json.dumps({"run": facts, "figures": found}, indent=2) + "\n"


def show(facts: dict[str, object], figures: list[Figures]) -> None:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    print(
        f"\n{facts['cores']} cores, {facts['system']}, Python {facts['python']}; {versions}\n"
        f"load by {'wrk' if facts['client'] == 'wrk' else 'our own client'}, "
        f"{facts['connections']} connections; median of {facts['rounds']} rounds "
        f"of {facts['seconds']} s (middle half of the rounds in brackets)\n"
    )
    widths = "{:30}{:>9}{:>8} {:15}{:>9}{:>11}{:>9}{:>9}"
    print(widths.format("", "req/s", "ratio", "", "CPU ms", "CPU ratio", "start s", "MB"))
    for one in figures:
        found = one.summary()
        low, high = found["ratio, quartiles"]
        print(
            widths.format(
                one.name,
                f"{found['requests a second']:.0f}",
                f"{found['ratio to bare Flask']:.2f}",
                f"({low:.2f}-{high:.2f})",
                said(found["server CPU ms a request"]),
                said(found["CPU ratio to bare Flask"]),
                said(found["start to first answer, seconds"]),
                said(found["megabytes of a worker"], 0),
            )
        )

    for line in comparisons(figures):
        print(line)


def comparisons(figures: list[Figures]) -> Iterator[str]:
    """How the project stands to its peers on the same database, round by round."""
    for ours in figures:
        for peer in figures:
            same_database = peer.name.rpartition(", ")[2] == ours.name.rpartition(", ")[2]
            if ours.name.startswith("list as JSON") and "FastAPI" in peer.name and same_database:
                by_rate = [a / b for a, b in zip(ours.rates, peer.rates, strict=True)]
                by_cpu = [b / a for a, b in zip(ours.cpu, peer.cpu, strict=True)]
                cpu = f", {median(by_cpu):.1f} by CPU" if by_cpu else ""
                yield f"\n{ours.name}: {median(by_rate):.1f} times {peer.name}{cpu}"


def said(value: object, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
