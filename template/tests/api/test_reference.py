"""The reference at /docs: the document as a page, for people without JavaScript, too."""

from html import unescape

from app.openapi import described
from app.pages import reference

SCHEMAS = {"Note": {"properties": {"id": {"type": "string"}}, "required": ["id"]}}


def test_every_operation_of_the_document_is_on_the_page(acme):
    page = unescape(acme.get("/docs").text)

    with acme.app.test_request_context():
        paths = described()["paths"]
    assert paths
    for path, methods in paths.items():
        assert f"<code>{path}</code>" in page
        for told in methods.values():
            assert f'id="{told["operationId"]}"' in page
            assert told["summary"] in page


def test_a_group_is_there_once_wherever_its_operations_are():
    def told(tag: str) -> dict[str, object]:
        return {"operationId": tag, "tags": [tag], "summary": tag, "responses": {"204": {}}}

    paths = {f"/{number}": {"get": told(tag)} for number, tag in enumerate(["b", "a", "b"])}
    groups = reference.operations_by_tag({"paths": paths, "components": {"schemas": {}}})

    assert [(tag, len(found)) for tag, found in groups] == [("b", 2), ("a", 1)]


def test_examples_name_the_workspace_that_one_is_in(acme):
    assert "curl http://localhost/t/acme/api/v1/me" in acme.get("/docs").text


def test_the_reference_is_open_to_everybody(app):
    assert app.test_client().get("/docs").status_code == 200


def test_types_are_said_as_people_say_them():
    nullable = {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
    notes = {"type": "array", "items": {"$ref": "#/components/schemas/Note"}}

    assert reference.kind_of(nullable) == "uuid or null"
    assert reference.kind_of(notes) == "list of Note"
    assert reference.kind_of({"enum": ["a", "b"]}) == "“a”, “b”"
    assert reference.kind_of({}) == "anything"


def test_a_sample_has_all_that_is_required():
    body = {
        "properties": {"name": {"type": "string"}, "size": {"type": "integer"}, "note": {}},
        "required": ["name", "size"],
    }

    assert reference.sample_of(body, SCHEMAS) == '{"name":"…","size":1}'
    assert reference.sample_of({}, SCHEMAS) == ""


def test_text_stays_text():
    assert reference.prose("Send `<b>`, not <i>") == "Send <code>&lt;b&gt;</code>, not &lt;i&gt;"
