"""The forms about roles; nothing else is taken from a request."""

from typing import Any
from uuid import UUID

from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from app.forms import Form, VersionField, one_line, stripped
from app.stages.hardened.rbac import builtin, rules
from app.stages.hardened.rbac.defining import LONGEST_NAME
from app.stages.hardened.rbac.models import Role


def role_id(text: object) -> UUID:
    """An id, as it's sent or as we have it."""
    return UUID(str(text))


def checkboxes(label: str, **more: Any) -> SelectMultipleField:
    """Any number of choices, each with a box."""
    boxes = {"widget": ListWidget(prefix_label=False), "option_widget": CheckboxInput()}
    return SelectMultipleField(label, **boxes, **more)


class RoleForm(Form):
    name = StringField(
        "Name",
        filters=[stripped],
        validators=[DataRequired("Enter a name."), Length(max=LONGEST_NAME), one_line],
        render_kw={"autocomplete": "off", "maxlength": str(LONGEST_NAME)},
    )
    permissions = checkboxes("What it allows", choices=lambda: permission_choices())


class RoleChange(RoleForm):
    version = VersionField()


class RolesForm(Form):
    """Which roles somebody has."""

    roles = checkboxes("Roles", coerce=role_id, choices=lambda: role_choices())


class DeletionForm(Form):
    """What those get who have a role that goes."""

    move_to = SelectField("Give them instead", choices=[], validate_choice=False)

    def __init__(self, role: Role, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.move_to.choices = [choice for choice in role_choices() if choice[0] != role.id]

    @property
    def target(self) -> UUID | None:
        """The role that was chosen, if it's one."""
        try:
            return UUID(self.move_to.data or "")
        except ValueError:
            return None


def permission_choices() -> list[tuple[str, str]]:
    return [(name, f"{one.title} ({name})") for name, one in sorted(builtin.declared().items())]


def role_choices() -> list[tuple[UUID, str]]:
    return [(role.id, role.name) for role in rules.given()]
