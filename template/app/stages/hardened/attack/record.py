"""What an attack tried, how often, and what came through."""

from dataclasses import dataclass, field


@dataclass
class Attack:
    """One way in: its name, what it tries, the tries so far, and the breaches found."""

    name: str
    about: str
    tries: int = 0
    breaches: list[str] = field(default_factory=list)

    def tried(self, times: int = 1) -> None:
        self.tries += times

    def judge(self, breach: str) -> None:
        """Count a try; a text says what came through, an empty one that the wall held."""
        self.tries += 1
        if breach:
            self.breaches.append(breach)

    @property
    def held(self) -> bool:
        return not self.breaches
