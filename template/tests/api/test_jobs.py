"""How far a job is, for clients of the API."""

from app.db import db
from app.jobs import later
from tests.jobs import work


def ask(company, what, *args) -> str:
    with company.serving():
        job = later(what, *args)
        db.session.commit()
        return f"/api/v1/jobs/{job.id}"


def test_a_job_is_followed_to_its_end(acme):
    path = ask(acme, work.take_steps, 2, 0)
    assert acme.get(path).json["state"] == "queued"

    acme.work()

    shown = acme.get(path).json
    assert (shown["state"], shown["done"], shown["total"]) == ("done", 2, 2)
    assert shown["finished_at"]


def test_what_went_wrong_is_not_told(acme, monkeypatch):
    monkeypatch.setattr("app.jobs.ATTEMPTS", 1)
    path = ask(acme, work.fail)

    acme.work()

    assert acme.get(path).json["state"] == "failed"
    assert "printer" not in acme.get(path).text


def test_another_tenant_cannot_see_it(acme, initech):
    assert initech.get(ask(acme, work.say_where)).status_code == 404
