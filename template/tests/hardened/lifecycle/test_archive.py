"""Export, import and restore of a tenant: exact, and refused when an archive isn't as it was."""

import json
import struct
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.auth.models import Invitation, Membership, Organisation, User
from app.db import db
from app.stages.hardened.lifecycle import places
from app.stages.hardened.lifecycle.archive import exporting, writing
from app.stages.hardened.lifecycle.archive.files import Reader
from app.stages.hardened.lifecycle.finding import find
from tests.services.promote import team

pytestmark = pytest.mark.postgres


def quiet(*_args):
    pass


def ok(result):
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result


def team_rows(world, tenant_id: UUID, notes=()):
    """Folders in folders, and notes that hold everything a column may."""
    # The archive has the child before its parent.
    outer, inner = UUID(int=2**128 - 1 - uuid4().int % 2**64), uuid4()
    with world.connect("features") as connection:
        for folder, parent, name in ((outer, None, "outer"), (inner, outer, "inner")):
            row = {"tenant_id": tenant_id, "id": folder, "parent_id": parent, "name": name}
            connection.execute(team.FOLDERS.insert(), row)
        found = list(notes) or [team.note(tenant_id, number, inner) for number in range(40)]
        connection.execute(team.NOTES.insert(), found)
        connection.execute(
            team.CLICKS.insert(), [{"tenant_id": tenant_id, "page": text} for text in team.STRANGE]
        )


def trusting(world):
    """What another installation must say to take this one's archives."""
    result = world.app.test_cli_runner().invoke(args=["keys", "show"])
    return "--trust", result.output.splitlines()[1].split()[0]


def test_an_export_says_what_is_in_it(world, tmp_path):
    acme = world.tenant("acme")
    team_rows(world, acme.tenant.id)

    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))

    with zipfile.ZipFile(tmp_path / "acme.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        people = [json.loads(line) for line in archive.read("people.ndjson").splitlines()]
    assert manifest["format"] == 1
    assert manifest["tenant_id"] == str(acme.tenant.id)
    assert manifest["files"]["rows/features/notes.ndjson"]["rows"] == 40
    assert manifest["files"]["rows/billing/billing_subscriptions.ndjson"]["rows"] == 1
    assert [(one["email"], one["role"]) for one in people] == [
        ("ada@acme.test", "owner"),
        ("max@acme.test", "member"),
    ]


def test_an_archive_has_nothing_of_others_and_no_password(world, tmp_path):
    world.tenant("acme", "ourmarker")
    world.tenant("initech", "theirmarker")
    with world.app.app_context():
        hashes = list(db.session.scalars(sa.select(User.password_hash)))

    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))

    with zipfile.ZipFile(tmp_path / "acme.zip") as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert "ourmarker" in text
    assert "theirmarker" not in text
    assert not any(one in text for one in hashes)


def test_another_installation_gets_exactly_the_same_rows(world, make_world, tmp_path):
    acme = world.tenant("acme")
    team_rows(world, acme.tenant.id)
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    other = make_world()
    initech = other.tenant("initech")
    theirs = other.everything(initech.tenant.id)

    ok(other.flask("import", str(tmp_path / "acme.zip"), *trusting(world)))
    ok(other.flask("export", "acme", "--file", str(tmp_path / "again.zip")))

    assert other.everything(acme.tenant.id) == world.everything(acme.tenant.id)
    assert other.everything(initech.tenant.id) == theirs
    with world.app.app_context(), Reader(tmp_path / "acme.zip") as first:
        wanted = first.manifest.checksums()
    with other.app.app_context(), Reader(tmp_path / "again.zip") as second:
        assert second.manifest.checksums() == wanted


def test_who_has_an_account_belongs_again_and_others_are_invited(world, make_world, tmp_path):
    world.tenant("acme")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    other = make_world()
    other.tenant("initech").join("max@acme.test", "Max")

    output = ok(other.flask("import", str(tmp_path / "acme.zip"), *trusting(world))).output

    assert "1 people belong to it; 1 were invited" in output
    with other.app.app_context():
        acme = db.session.scalars(sa.select(Organisation).filter_by(slug="acme")).one()
        (member,) = db.session.scalars(sa.select(Membership).filter_by(tenant_id=acme.id))
        (invited,) = db.session.scalars(sa.select(Invitation).filter_by(tenant_id=acme.id))
        assert (member.user.email, member.role) == ("max@acme.test", "member")
        assert (invited.email, invited.role) == ("ada@acme.test", "owner")


def test_an_unconfirmed_address_is_nobody_s_way_in(world, make_world, tmp_path):
    world.tenant("acme")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    other = make_world()
    with other.app.app_context():
        thief = User(name="Thief", password_hash="x")
        thief.set_email("ada@acme.test")
        db.session.add(thief)
        db.session.commit()

    ok(other.flask("import", str(tmp_path / "acme.zip"), *trusting(world)))

    with other.app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Membership)) == 0


def test_a_restore_puts_everything_back_and_can_be_taken_back(world, tmp_path):
    acme, initech = world.tenant("acme"), world.tenant("initech")
    team_rows(world, acme.tenant.id)
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    before, theirs = world.everything(acme.tenant.id), world.everything(initech.tenant.id)
    with world.connect("features") as connection:
        connection.execute(
            sa.text("DELETE FROM projects WHERE tenant_id = :t"), {"t": acme.tenant.id}
        )
        connection.execute(sa.text("UPDATE notes SET text = 'spoilt'"))
    spoilt = world.everything(acme.tenant.id)

    output = ok(world.flask("restore", "acme", str(tmp_path / "acme.zip"), "--yes")).output

    assert world.everything(acme.tenant.id) == before
    assert world.everything(initech.tenant.id) == theirs
    kept = output.rpartition("As it was before: ")[2].strip()
    ok(world.flask("restore", "acme", kept, "--yes"))
    assert world.everything(acme.tenant.id) == spoilt


def test_a_tenant_that_is_here_is_not_imported(world, tmp_path):
    acme = world.tenant("acme")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    before = world.everything(acme.tenant.id)

    answer = world.flask("import", str(tmp_path / "acme.zip"))

    assert answer.exit_code == 1
    assert "acme has its id" in answer.output
    assert "flask tenant restore" in answer.output
    assert world.everything(acme.tenant.id) == before


def test_an_address_that_is_taken_is_refused(world, make_world, tmp_path):
    acme = world.tenant("acme")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    other = make_world()
    other.tenant("acme")

    answer = other.flask("import", str(tmp_path / "acme.zip"), *trusting(world))

    assert answer.exit_code == 1
    assert "acme has its address" in answer.output
    assert not any(
        rows for one in other.everything(acme.tenant.id).values() for rows in one.values()
    )


def test_an_archive_of_another_installation_needs_its_key_to_be_named(world, make_world, tmp_path):
    world.tenant("acme")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))

    answer = make_world().flask("import", str(tmp_path / "acme.zip"))

    assert answer.exit_code == 1
    assert "isn't one of this service" in answer.output
    assert trusting(world)[1] in answer.output


def test_another_tenants_archive_restores_nothing(world, tmp_path):
    world.tenant("acme")
    initech = world.tenant("initech")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    before = world.everything(initech.tenant.id)

    answer = world.flask("restore", "initech", str(tmp_path / "acme.zip"), "--yes")

    assert answer.exit_code == 1
    assert "It is of acme" in answer.output
    assert world.everything(initech.tenant.id) == before


def rewritten(path: Path, change) -> Path:
    """The same archive with other files in it."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return other


def change_a_row(files):
    files["rows/features/projects.ndjson"] = files["rows/features/projects.ndjson"].replace(
        b"acme", b"evil"
    )


def change_the_manifest_too(files):
    import hashlib

    change_a_row(files)
    name = "rows/features/projects.ndjson"
    manifest = json.loads(files["manifest.json"])
    manifest["files"][name]["sha256"] = hashlib.sha256(files[name]).hexdigest()
    files["manifest.json"] = json.dumps(manifest).encode()


def add_a_file(files):
    files["rows/features/users.ndjson"] = b"{}\n"


def take_a_file(files):
    del files["rows/billing/billing_usage.ndjson"]


def take_the_signature(files):
    del files["manifest.jws"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (change_a_row, "isn't what was exported"),
        (change_the_manifest_too, "was changed after it was signed"),
        (add_a_file, "doesn't hold what its manifest says"),
        (take_a_file, "doesn't hold what its manifest says"),
        (take_the_signature, "has no manifest.jws"),
    ],
)
def test_what_was_tampered_with_is_refused_and_nothing_is_written(world, tmp_path, change, says):
    acme = world.tenant("acme")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    before = world.everything(acme.tenant.id)

    answer = world.flask("restore", "acme", str(rewritten(tmp_path / "acme.zip", change)), "--yes")

    assert answer.exit_code == 1
    assert says in answer.output
    assert world.everything(acme.tenant.id) == before


def within_the_largest(file: Path, whole: bytes) -> int:
    """A place within rows: a zip has bytes as well that nobody reads, such as a file's time."""
    with zipfile.ZipFile(file) as archive:
        entry = max(archive.infolist(), key=lambda one: one.compress_size)
    name, extra = struct.unpack("<HH", whole[entry.header_offset + 26 : entry.header_offset + 30])
    return entry.header_offset + 30 + name + extra + entry.compress_size // 2


@pytest.mark.parametrize("spoil", ["cut", "flip", "empty"])
def test_a_damaged_file_is_refused(world, tmp_path, spoil):
    world.tenant("acme")
    file = tmp_path / "acme.zip"
    ok(world.flask("export", "acme", "--file", str(file)))
    whole = file.read_bytes()
    middle = within_the_largest(file, whole)
    flipped = bytes([whole[middle] ^ 0xFF])
    file.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "flip": whole[:middle] + flipped + whole[middle + 1 :],
        }[spoil]
    )

    answer = world.flask("archive", str(file))

    assert answer.exit_code == 1
    assert "Error: " in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize(
    ("here", "says"), [("features_0000", "the archive is newer"), ("features_9999", "is older")]
)
def test_other_migrations_are_refused(world, make_world, tmp_path, here, says, monkeypatch):
    world.tenant("acme")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    other = make_world()
    with other.connect("features") as connection:
        connection.execute(
            sa.text("UPDATE alembic_version_features SET version_num = :v"), {"v": here}
        )
    if "newer" in says:
        monkeypatch.setattr(
            "app.stages.hardened.lifecycle.archive.writing.known_to", lambda _: set()
        )

    answer = other.flask("import", str(tmp_path / "acme.zip"), *trusting(world))

    assert answer.exit_code == 1
    assert says in answer.output
    assert other.organisation("acme") is None


def test_a_database_that_is_away_stops_it_and_the_next_run_goes_on(world, make_world, tmp_path):
    acme = world.tenant("acme")
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    other = make_world()
    away = other.make(billing_database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")

    answer = other.flask("import", str(tmp_path / "acme.zip"), *trusting(world), app=away)
    assert answer.exit_code == 1
    assert "The database of billing doesn't answer" in answer.output
    assert "it goes on where it was" in answer.output
    assert other.organisation("acme") is None

    ok(other.flask("import", str(tmp_path / "acme.zip"), *trusting(world), app=other.make()))
    assert other.everything(acme.tenant.id) == world.everything(acme.tenant.id)


# --- Values ------------------------------------------------------------------------------------

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=60)
JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
JSON_TEXT = st.none() | JSONS.map(lambda value: json.dumps(value, ensure_ascii=False)).filter(
    lambda text: "\\u0000" not in text
)
FIRST, LAST = (
    datetime(*day, tzinfo=UTC).replace(tzinfo=None) for day in ((1, 1, 2), (9999, 12, 30))
)
NOTES = st.fixed_dictionaries(
    {
        "text": TEXT | st.sampled_from(team.STRANGE),
        "pinned": st.none() | st.booleans(),
        "small": st.none() | st.integers(-(2**14), 2**14),
        "big": st.none() | st.integers(-(2**63), 2**63 - 1),
        "weight": st.none() | st.floats(),
        "price": st.none() | st.decimals(-(10**9), 10**9, places=2),
        "ratio": st.none()
        | st.decimals(-(10**300), 10**300, places=20)
        | st.sampled_from([10**400, -(10**400), *map(Decimal, ("NaN", "Infinity", "-Infinity"))]),
        "at": st.none() | st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(tzinfo=UTC)),
        "picture": st.none() | st.binary(max_size=40),
        "facts": JSON_TEXT,
    }
)
INSERT = sa.text(
    "INSERT INTO notes (tenant_id, id, text, pinned, small, big, weight, price, ratio, at, facts, "
    "picture) VALUES (:tenant_id, :id, :text, :pinned, :small, :big, :weight, :price, :ratio, :at, "
    "CAST(:facts AS json), :picture)"
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(notes=st.lists(NOTES, min_size=1, max_size=8))
def test_whatever_a_column_holds_comes_back_as_it_was(world, tmp_path, notes):
    acme = world.organisation("acme") or find_again(world)
    with world.connect("features") as connection:
        connection.execute(sa.text("DELETE FROM notes"))
        for note in notes:
            connection.execute(INSERT, {**note, "tenant_id": acme.id, "id": uuid4()})
    before = world.rows("features", acme.id)
    with world.app.app_context():
        exported = exporting.export(find("acme"), tmp_path / "acme.zip", quiet)
    with world.connect("features") as connection:
        connection.execute(sa.text("DELETE FROM notes"))

    with (
        world.app.app_context(),
        Reader(tmp_path / "acme.zip") as archive,
        places.opened(acme.id) as databases,
    ):
        for place, database in databases:
            writing.replace(archive, place, database, quiet)
        again = exporting.export(find("acme"), tmp_path / "again.zip", quiet)

    assert world.rows("features", acme.id) == before
    assert again.checksums() == exported.checksums()


def find_again(world) -> Organisation:
    world.tenant("acme")
    found = world.organisation("acme")
    assert found
    return found
