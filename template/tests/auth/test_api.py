"""The API: who I am, and who belongs to the workspace."""


def test_the_api_says_who_is_asking(acme):
    assert acme.get("/api/v1/me").json == {
        "id": str(acme.user_id),
        "name": "Ada",
        "email": "ada@acme.test",
        "workspace": {"slug": "acme", "name": "Acme", "role": "owner"},
    }


def test_outside_a_workspace_it_says_so(acme):
    assert acme.client.get("/api/v1/me").json["workspace"] is None


def test_the_api_lists_the_members(member):
    people = member.get("/api/v1/members").json["items"]

    assert [(one["name"], one["role"]) for one in people] == [("Ada", "owner"), ("Max", "member")]
    assert set(people[0]) == {"id", "name", "email", "role", "joined_at"}


def test_without_a_workspace_the_api_asks_for_one(acme):
    answer = acme.client.get("/api/v1/members")

    assert answer.status_code == 404
    assert "/t/" in answer.json["detail"]
