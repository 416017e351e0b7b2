"""What people do about roles, in few words."""

from dataclasses import dataclass
from typing import Any

from flask_login import current_user
from werkzeug.test import TestResponse

from tests.world import Company, sign_in


@dataclass
class Somebody:
    """A person in a workspace, at a browser that speaks JSON."""

    at: Company

    @property
    def id(self) -> Any:
        return self.at.user_id

    def roles(self) -> dict[str, dict[str, Any]]:
        """The roles of the workspace, by name."""
        return {role["name"]: role for role in self.at.get("/api/v1/members/roles").json["items"]}

    def role_called(self, name: str) -> str:
        return str(self.roles()[name]["id"])

    def post_role(self, name: str, *permissions: str, **more: Any) -> TestResponse:
        body = {"name": name, "permissions": list(permissions)} | more
        return self.at.post("/api/v1/members/roles", json=body)

    def make(self, name: str, *permissions: str) -> str:
        answer = self.post_role(name, *permissions)
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    def put_roles(self, person: "Somebody", *role_ids: str) -> TestResponse:
        path = f"/api/v1/members/{person.id}/roles"
        return self.at.put(path, json={"roles": list(role_ids)})

    def give(self, person: "Somebody", *role_ids: str) -> None:
        answer = self.put_roles(person, *role_ids)
        assert answer.status_code == 200, answer.text

    def may(self) -> set[str]:
        """What the person may do, as their own requests are judged."""
        with self.at.client as client:
            client.get(f"/t/{self.at.tenant.slug}/api/v1/me")
            return set(current_user.permissions())


def somebody(acme: Company, name: str, role: str = "member") -> Somebody:
    return Somebody(sign_in(acme.app, acme.join(f"{name.lower()}@acme.test", name, role)))
