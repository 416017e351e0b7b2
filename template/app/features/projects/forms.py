"""Projects' forms."""

from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from app.forms import Form, VersionField, one_line, readable, stripped

NAME_LENGTH = 100
DESCRIPTION_LENGTH = 5_000


class ProjectForm(Form):
    """What people say about a project."""

    name = StringField(
        "Name",
        filters=[stripped],
        validators=[DataRequired("A project needs a name."), Length(max=NAME_LENGTH), one_line],
    )
    description = TextAreaField(
        "Description", filters=[stripped], validators=[Length(max=DESCRIPTION_LENGTH), readable]
    )


class ProjectChange(ProjectForm):
    """The same, for a project that others may be changing, too."""

    version = VersionField()
