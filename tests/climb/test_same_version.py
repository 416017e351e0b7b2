"""An update to the version that a project has changes nothing, whatever the team did."""

import subprocess
import sys


def edit_everything(project) -> None:
    """A month of a team's work, in their files and in the template's."""
    project.write("app/features/orders/__init__.py", '"""Orders."""\n')
    project.write("app/features/orders/models.py", "TABLES = ('orders',)\n")
    project.write("tests/features/orders/test_orders.py", "def test_it():\n    pass\n")
    project.write("README.md", "# Ours, from top to bottom\n")
    project.replace("pyproject.toml", "dependencies = []", 'dependencies = ["httpx>=0.28"]')
    project.replace("pyproject.toml", 'version = "0.1.0"', 'version = "4.2.0"')
    project.write("app/db.py", project.read("app/db.py") + "\n\nOURS = True\n")
    project.write("app/health.py", "# Rewritten.\n")
    project.write("app/mail.py", "# First line.\n" + project.read("app/mail.py"))
    project.write(".gitignore", project.read(".gitignore") + "ours/\n")
    project.write(".env", "SECRET_KEY=ours\n")
    project.write("uv.lock", "version = 1\n")
    (project.root / "app/audit.py").unlink()
    (project.root / "app/limits.py").rename(project.root / "app/throttle.py")
    (project.root / "logo.png").write_bytes(bytes(range(256)))


def test_every_edit_stays_as_it_is(project):
    edit_everything(project)
    before = project.commit().files

    project.update()

    assert project.files == before
    assert project.changes == ""
    assert project.unmerged == ""


def test_what_became_the_teams_is_never_written_again(project):
    project.write("README.md", "# Ours\n")
    project.commit()

    project.update(description="Another line in pyproject.toml.")

    assert project.read("README.md") == "# Ours\n"
    assert "Another line" in project.read("pyproject.toml")


def test_what_became_the_teams_stays_deleted(project):
    (project.root / "README.md").unlink()
    project.commit()

    project.update(description="Another line in pyproject.toml.")

    assert not (project.root / "README.md").exists()


def test_a_changed_answer_reaches_the_files_that_say_it(project):
    project.update(project_name='The "New" Name')

    assert '"The \\"New\\" Name"' in project.read("app/product.json")
    assert 'name = "the-new-name-app"' in project.read("pyproject.toml")
    assert project.unmerged == ""


def test_uncommitted_work_is_not_put_at_risk(project):
    project.write("app/db.py", "# Not committed.\n")
    update = [sys.executable, "-m", "copier", "update", "--defaults", "--vcs-ref=:current:"]

    done = subprocess.run(update, cwd=project.root, capture_output=True, text=True)

    assert done.returncode == 1
    assert "dirty" in done.stderr
    assert project.read("app/db.py") == "# Not committed.\n"
