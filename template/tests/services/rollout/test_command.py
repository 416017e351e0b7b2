"""The commands, with a real database, and what each says when something isn't right."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from app.stages.services.rollout import driver, rolling
from app.stages.services.rollout.driver import End, run_journey
from app.stages.services.rollout.errors import Refused, SourceAway
from app.stages.services.rollout.gates import Counts
from app.stages.services.rollout.store import Store
from app.stages.services.rollout.waves import assign, read
from app.stages.services.settings import SERVICES
from tests.browser import PROJECT
from tests.services.gateway.conftest import Server
from tests.services.rollout.conftest import Measured, driver_of, waves_of

pytestmark = pytest.mark.postgres

TWO = waves_of({"name": "first", "tenants": ["t1"]}, {"name": "rest", "rest": True})
FILE = """
[[wave]]
name = "first"
tenants = ["t1"]
[[wave]]
name = "rest"
rest = true
[gates]
soak = "0s"
requests = 1
patience = "60s"
blind = "0s"
"""


@pytest.fixture
def run(make_app, auth_url, tmp_path):
    """`flask rollout ...`, in the process of the release `new`."""
    app = make_app(database_url=auth_url, release="new")

    def call(*args):
        return app.test_cli_runner().invoke(args=["rollout", *args])

    return call


@pytest.fixture
def there(store):
    """Both releases answer."""
    servers = {service: Server(service) for service in SERVICES}
    for release in ("old", "new"):
        store.know(release, {name: one.address for name, one in servers.items()}, None)
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
def waves_file(tmp_path):
    file = tmp_path / "rollout.toml"
    file.write_text(FILE)
    return str(file)


def begin(store, waves=TWO):
    return store.begin("new", waves, assign(waves.wave, store.customers(), "new"), "test", "")


# --- Before it begins ----------------------------------------------------------------------------


def test_a_plan_shows_who_comes_when(run, there, tenants, waves_file):
    tenants(5)

    done = run("plan", "new", "--waves", waves_file)

    assert done.exit_code == 0, done.output
    assert "first              1 tenants  20.0%  t1" in done.output
    assert "Nothing stands in the way. Next: flask rollout start new" in done.output
    done = run("plan", "new")
    assert "canary             1 tenants  20.0%" in done.output
    assert "internal           0 tenants   0.0%   (name yours in" in done.output


def test_a_release_that_does_not_exist_is_refused(run, store, tenants):
    tenants(1)
    store.know("new", dict.fromkeys(SERVICES, "127.0.0.1:1"), None)

    done = run("start", "new")

    assert done.exit_code == 1
    assert "The release new isn't there: auth doesn't answer at http://127.0.0.1:1/" in done.output
    assert "Is it deployed?" in done.output


@pytest.mark.parametrize("name", ["New", "1.0_x", "", "x" * 41])
def test_a_name_that_no_release_can_have_is_refused(run, name):
    assert "a release is 1 to 40 of a-z" in run("start", name).output


def test_the_code_of_another_release_is_refused(run, there, tenants):
    tenants(1)

    assert "This is the code of new (RELEASE). Run it in that of 2.0." in run("plan", "2.0").output


def test_what_everybody_has_is_not_rolled_out(run, store, tenants):
    tenants(1)

    done = run("start", "old")

    assert (done.exit_code, done.output) == (0, "Everybody has old already.\n")


def test_without_a_gateway_that_follows_nothing_begins(run, there, store, tenants):
    tenants(1)
    with store.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM rollout.followers")

    assert "No gateway follows, so no tenant would get" in run("start", "new").output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('tenants = ["t1"]', ""),
        ('tenants = ["T1"]', "names 'T1', and no tenant has it. Did you mean t1?"),
        ("tenants = []", "Nobody is in the wave 'first'. Change it or take it out"),
        ("members_up_to = 0\nshare = 0.1", "must say who is in it, by one of tenants, share"),
        ("share = 2", "wave.1.share: Input should be less than or equal to 1"),
        ('plan = ["free"]', ""),
        ('plan = ["enterprise"]', "Nobody is in the wave 'first'"),
        ("colour = 1", "wave.1.colour: Extra inputs are not permitted"),
        ("tenants = [", "isn't TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(run, there, tenants, waves_file, change, words):
    tenants(2)
    with open(waves_file, "w") as file:
        file.write(FILE.replace('tenants = ["t1"]', change))

    done = run("plan", "new", "--waves", waves_file)

    assert words in done.output
    assert done.exit_code == (1 if words else 0), done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "wave: Field required"),
        (FILE.replace("rest = true", "share = 0.5"), "the last wave, and no other, must be"),
        (FILE.replace('"rest"', '"first"'), "two waves are called first"),
        (FILE.replace('"60s"', '"1 hour"'), 'gates.patience: must be like "30s", "10m" or "2h"'),
        (FILE.replace('"60s"', '"0s"').replace('"0s"', '"1s"', 1), "patience must not be shorter"),
    ],
)
def test_a_file_that_leaves_somebody_out_is_refused(tmp_path, text, words):
    file = tmp_path / "rollout.toml"
    file.write_text(text)

    with pytest.raises(Refused, match=words):
        read(file)


# --- While it goes on ----------------------------------------------------------------------------


def good(*slugs):
    source = Measured()
    source.counts["new"] = {slug: Counts(100, 0) for slug in slugs}
    return source


def test_a_second_command_is_refused(run, store, auth_url, there, tenants):
    tenants(2)
    begin(store)
    with Store(auth_url) as other, other.driving("ada, process 7"):
        done = run("start", "new")

    assert done.exit_code == 1
    assert "It is being driven already, by ada, process 7." in done.output


def test_another_release_is_refused_meanwhile(run, store, there, tenants):
    tenants(2)
    begin(store)
    store.know("2.0", {name: one.address for name, one in there.items()}, None)

    assert "A rollout of new is underway (running)" in run("plan", "new").output
    assert "A rollout of new is underway" in run("pin", "t1", "old", "--why", "x").output


def test_a_source_that_is_away_pauses_and_never_proceeds(store, tenants):
    tenants(2)
    begin(store)
    source = good("t1")
    source.away = SourceAway("Prometheus doesn't answer at http://p")

    assert driver_of(store, source).run() is End.PAUSED

    rollout = store.underway()
    assert (rollout.state, rollout.wave) == ("paused", 0)
    assert rollout.why == "nobody can tell how new does: Prometheus doesn't answer at http://p"
    assert store.pins().tenants == {"t1": "new"}


def test_too_little_traffic_waits_and_then_pauses(store, tenants):
    tenants(2)
    begin(store)

    assert driver_of(store, good("t2")).run() is End.PAUSED  # Of the wave nobody came.

    assert "too little traffic to judge the wave first" in store.underway().why
    assert "0 of 1 requests so far" in store.underway().why


@pytest.mark.parametrize(
    ("counts", "buckets", "words"),
    [
        ({"t1": Counts(100, 50)}, {}, "error budget of 2.0% used up: t1 50 of 100 failed"),
        (
            {f"t{n}": Counts(20, 1) for n in range(1, 9)},
            {},
            "error budget of 2.0% used up by all together: 8 of 160 failed",
        ),
        ({"t1": Counts(9, 0)}, {"new": {1: 0, 5: 9}}, "95 of 100 requests take up to 4.80 s"),
        (
            {"t1": Counts(9, 0)},
            {"new": {0.5: 0, 1: 9}, "old": {0.1: 0, 0.2: 9}},
            "in the release before 0.20 s",
        ),
    ],
)
def test_a_release_that_misses_a_gate_goes_back(store, tenants, counts, buckets, words):
    tenants(2)
    begin(store)
    source = Measured()
    source.counts["new"], source.buckets = counts, buckets

    assert driver_of(store, source).run() is End.STOPPED

    rollout = store.latest()
    assert rollout.state == "stopped"
    assert words in rollout.why
    assert rollout.wave == 0
    assert store.pins().tenants == {}


def test_one_failed_request_is_no_reason(store, tenants):
    tenants(2)
    begin(store)
    source = Measured()
    source.counts["new"] = {"t1": Counts(5, 2), "t2": Counts(200, 0)}

    assert driver_of(store, source).run() is End.DONE


def test_a_release_whose_services_are_away_goes_back(store, tenants):
    tenants(2)
    begin(store)

    end = driver_of(store, good("t1", "t2"), probe=lambda _: "auth doesn't answer").run()

    assert end is End.STOPPED
    assert store.latest().why == "auth doesn't answer"


@pytest.mark.parametrize(
    ("journey", "end", "words"),
    [
        ("true", End.DONE, ""),
        ("sh -c 'echo no log-in; exit 1'", End.STOPPED, "the journey failed: no log-in"),
        ("no-such-command", End.PAUSED, "The journey can't be run: no-such-command"),
        ("sleep 60", End.STOPPED, "the journey took longer than 0:00:01"),
        ("""sh -c 'test "$ROLLOUT_RELEASE $ROLLOUT_WAVE" = "new first"'""", End.STOPPED, "failed"),
    ],
)
def test_the_journey_is_run_in_each_wave(store, tenants, journey, end, words):
    tenants(2)
    waves = waves_of(
        *[w.model_dump(exclude_none=True) for w in TWO.wave], journey=journey, journey_patience=1
    )
    begin(store, waves)

    assert driver_of(store, good("t1", "t2"), journey=run_journey).run() is end
    assert words in store.latest().why


def test_a_gateway_that_does_not_follow_pauses_it(store, tenants, monkeypatch):
    monkeypatch.setattr(driver, "FOLLOW_SECONDS", 0.1)
    tenants(2)
    begin(store)
    store.follows("gateway", 0, "Caddy refuses the Caddyfile")

    assert driver_of(store, good("t1", "t2")).run() is End.PAUSED
    assert "gateway (Caddy refuses the Caddyfile)" in store.underway().why


def test_pause_resume_and_the_record(run, store, tenants, there):
    tenants(2)
    store.enter_next_wave(begin(store), "ada")

    assert "Paused in the wave first." in run("pause", "--why", "lunch", "--who", "ada").output
    assert "It's paused already: lunch" in run("pause", "--why", "again").output
    assert driver_of(store, good("t1")).run() is End.PAUSED
    resumed = run("resume", "--who", "bob", "--every", "0.05")  # Nobody measures here.

    assert "goes on in the wave first" in resumed.output
    assert resumed.exit_code == End.PAUSED.value
    said = run("status").output
    assert "Rollout 1, old → new: paused: nobody can tell how new does" in said
    assert "PROMETHEUS_URL isn't set" in said
    assert "Driven by nobody: flask rollout resume" in said
    assert "first              1 tenants  has new, watched since" in said
    for step in ("ada: paused (lunch)", "bob: resumed", "ada: wave first: 1 tenants"):
        assert step in said


def test_abort_and_rollback_need_a_reason_and_bring_everybody_back(run, store, tenants, there):
    tenants(2)
    store.enter_next_wave(begin(store), "ada")
    store.follows("gateway", 10**9)

    assert "Missing option '--why'" in run("abort").output
    done = run("abort", "--why", "wrong day")

    assert "Everybody has old again." in done.output
    assert "All gateways have followed" in done.output
    assert "No rollout is underway" in run("abort", "--why", "again").output
    assert "There is no release before to go back to." in run("rollback", "--why", "x").output

    begin(store)
    assert driver_of(store, good("t1", "t2")).run() is End.DONE
    assert store.serving() == ("new", "old")
    assert "Everybody has old again." in run("rollback", "--why", "a complaint").output
    assert store.serving() == ("old", None)


def test_a_tenant_that_is_pinned_by_hand_is_left_alone(run, store, tenants):
    tenants(3)

    assert "There is no tenant 'acme'." in run("pin", "acme", "old", "--why", "x").output
    assert "There is no release 'later'" in run("pin", "t2", "later", "--why", "x").output
    assert "t2 has old until" in run("pin", "t2", "old", "--why", "asked to wait").output
    begin(store)
    assert driver_of(store, good("t1", "t3")).run() is End.DONE

    assert store.pins().tenants == {"t2": "old"}
    assert "pinned t2 to old (asked to wait)" in run("status").output
    assert "t2 has what everybody has." in run("unpin", "t2").output


def test_the_state_is_auths(make_app):
    app = make_app(serves="billing", redis_url="redis://127.0.0.1:1", **neighbours())

    said = app.test_cli_runner().invoke(args=["rollout", "status"]).output

    assert "The state of rollouts is in auth's database, and SERVES is billing." in said


def neighbours():
    return {f"{name}_url": "http://127.0.0.1" for name in SERVICES}


def test_sqlite_is_refused(make_app, tmp_path):
    app = make_app(database_url=f"sqlite:///{tmp_path}/x.db")

    said = app.test_cli_runner().invoke(args=["rollout", "status"]).output

    assert "Rollouts need PostgreSQL" in said


def test_a_database_that_is_away_is_named(make_app):
    app = make_app(database_url="postgresql://rollouts:secret@127.0.0.1:1/auth")

    said = app.test_cli_runner().invoke(args=["rollout", "status"]).output

    assert "The state of rollouts can't be reached" in said
    assert "rollouts:***@127.0.0.1:1/auth" in said
    assert "gateways keep their pins" in said


def test_a_release_that_came_back_is_not_tried_again_by_itself(run, store, tenants, there):
    tenants(2)
    store.stop(begin(store), "ada", "too slow")

    done = run("start", "new")

    assert done.exit_code == 1
    assert "new was rolled back: too slow. If that wasn't its fault, say --again." in done.output


def test_a_database_that_goes_away_meanwhile_is_waited_for(store, auth_url, tenants):
    """Its connections are cut in the middle; a good release still gets to everybody."""
    tenants(4)
    said = []
    cuts = iter([3, 9, 15])

    class Cut(Measured):
        looks = 0

        def tenants(self, release, since):
            self.looks += 1
            if self.looks == getattr(self, "next", 3):
                self.next = next(cuts, 0) + 3
                with store.transaction() as connection:
                    connection.exec_driver_sql(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
            return super().tenants(release, since)

    source = Cut()
    source.counts["new"] = {f"t{n}": Counts(100, 0) for n in range(1, 5)}
    with Store(auth_url) as own:
        driver = driver_of(own, source, say=said.append)
        assert rolling.driven(driver, lambda: begin(own)) is End.DONE

    assert any("The database is away" in line for line in said)
    assert store.serving() == ("new", "old")


# --- Killed for real -----------------------------------------------------------------------------


class Prometheus(BaseHTTPRequestHandler):
    """Says what a Prometheus would, of a release that has no errors."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)["query"][0]
        if "app_info" in asked:
            found = [({"service": name}, 1) for name in SERVICES]
        elif "tenant_requests_total" in asked and "time=" not in self.path:
            found = [({"tenant": f"t{n}", "outcome": "ok"}, 50) for n in range(1, 21)]
        else:
            found = []
        result = [{"metric": labels, "value": [0, str(value)]} for labels, value in found]
        body = json.dumps({"status": "success", "data": {"result": result}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def prometheus():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.processes
def test_a_command_that_is_killed_goes_on_where_it_was(
    store, auth_url, there, tenants, prometheus, tmp_path
):
    """kill -9 after the first wave; the same command again brings it to its end."""
    tenants(20)
    file = tmp_path / "rollout.toml"
    some = 'name = "some"\nshare = 0.2\nsoak = "3s"\n[[wave]]\n'
    file.write_text(FILE.replace('name = "rest"', f'{some}name = "rest"'))
    env = {
        **os.environ,
        "APP_ENV": "development",
        "FLASK_APP": "app",
        "DATABASE_URL": auth_url,
        "PROMETHEUS_URL": prometheus,
        "RELEASE": "new",
    }
    command = [sys.executable, "-m", "flask", "rollout", "start", "new", "--every", "0.2"]
    command += ["--waves", str(file), "--who", "ada"]

    first = subprocess.Popen(command, cwd=PROJECT, env=env, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while (underway := store.underway()) is None or underway.wave < 1:
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert store.is_driven()
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = subprocess.run(
        command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )

    assert second.returncode == 0, second.stdout + second.stderr
    assert "The rollout of new goes on in the wave some." in second.stdout
    assert "Done: everybody has new." in second.stdout
    assert store.serving() == ("new", "old")
    with store.transaction() as connection:
        visits = connection.exec_driver_sql(
            "SELECT visits, count(*) FROM rollout.tenants GROUP BY 1"
        )
        assert dict(map(tuple, visits)) == {1: 20}


def test_production_needs_nothing_of_development():
    """Its image has neither a PostgreSQL nor a Caddy from a wheel."""
    asked = (
        "import sys; import app.stages.services.rollout.command; "
        "print([name for name in sys.modules if name.startswith('app.dev')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=PROJECT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
