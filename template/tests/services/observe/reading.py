"""What a scrape says, as numbers by name and labels."""

from typing import Any
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """One answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self.samples = [sample for family in families for sample in family.samples]

    @classmethod
    def at(cls, url: str) -> "Scrape":
        with urlopen(url, timeout=10) as answer:
            return cls(answer.read().decode())

    @classmethod
    def of(cls, app: Any) -> "Scrape":
        return cls(app.test_client().get("/metrics").text)

    def sum(self, name: str, **labels: str) -> float:
        """The sum of the series with this name and these labels."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def values(self, name: str, label: str) -> set[str]:
        """The values that a label has."""
        return {one.labels[label] for one in self.samples if one.name == name}
