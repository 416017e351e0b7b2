"""The workflows as data: their jobs, steps, and the commands that they run."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.tools import PROJECT

FOLDER = PROJECT / ".github" / "workflows"
# Those that came with the template; a team's own are looked at by the linters alone.
OURS = ("ci", "deploy", "infra", "infra-apply", "release", "rollout", "services", "tenant")
FILES = [file for file in sorted(FOLDER.glob("*.yml")) if file.stem in OURS]
EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
INNERMOST = re.compile(r"\$\(([^()]*)\)")
ENDS = {"|", "||", "&&", ";", "&", ">", ">>", "<", "<<<", "2>"}


@dataclass(frozen=True)
class Job:
    """A job of a workflow, and where it stands."""

    workflow: str
    name: str
    said: dict[str, Any]

    @property
    def where(self) -> str:
        return f"{self.workflow}: {self.name}"

    @property
    def steps(self) -> list[dict[str, Any]]:
        return self.said.get("steps", [])


def read(file: Path) -> dict[str, Any]:
    said = yaml.safe_load(file.read_text("utf-8"))
    return {"on" if key is True else key: value for key, value in said.items()}


def jobs() -> list[Job]:
    return [
        Job(file.name, name, said) for file in FILES for name, said in read(file)["jobs"].items()
    ]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command that a step runs, as words, and where it stands."""
    for job in jobs():
        for step in job.steps:
            for words in commands_of(step.get("run", "")):
                yield job.where, words


def commands_of(script: str) -> Iterator[list[str]]:
    """The commands of a shell script: of its lines, and of what stands in $(...)."""
    script = EXPRESSION.sub("expression", script).replace("\\\n", " ")
    for line in script.splitlines():
        line, inner = unfolded(line)
        for text in [line, *inner]:
            yield from split(text)


def unfolded(line: str) -> tuple[str, list[str]]:
    """The line without what stands in $(...), and that."""
    inner = []
    while found := INNERMOST.search(line):
        inner.append(found[1])
        line = line.replace(found[0], "substituted", 1)
    return line, inner


def split(text: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in ENDS:
            if words:
                yield words
            words = []
        else:
            words.append(word)
