"""A repository of its own, so that no test depends on the one around it."""

import subprocess

import pytest

from scripts.delivery import changed, release


class Repository:
    def __init__(self, folder):
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        settings = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        command = ["git", *settings, *arguments]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, *paths: str) -> str:
        for path in paths:
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(file.read_text() + "more\n" if file.exists() else "first\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change", "--date=2027-01-31T12:00:00+00:00")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2027-01-31T12:00:00+00:00")
    monkeypatch.setattr(changed, "PROJECT", tmp_path)
    monkeypatch.setattr(release, "PROJECT", tmp_path)
    return Repository(tmp_path)
