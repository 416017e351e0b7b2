"""Who belongs to the workspace."""

from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from flask_login import current_user

from app.access import requires
from app.auth import invitations
from app.auth import members as people
from app.auth.forms import InvitationForm, RoleForm
from app.auth.roles import roles
from app.auth.views import bp
from app.db import db
from app.tenancy import current_tenant, root_url


@bp.get("/members")
@requires("members:read")
def members():
    return page(InvitationForm())


def page(form: InvitationForm):
    """Everybody, and to those who may invite also the invitations and the form."""
    members = people.everybody()
    sent = invitations.sent() if current_user.can("members:write") else []
    return render_template(
        "auth/members.html",
        members=members,
        invitations=sent,
        form=form,
        roles=roles(),
        titles=roles().titles({member.id: member.role for member in members}),
        titles_of_invitations=roles().titles_of_invitations(sent),
    )


@bp.post("/members/<uuid:user_id>/role")
@requires("members:write")
def change_role(user_id: UUID):
    form = RoleForm()
    if not form.validate_on_submit():
        abort(400, "A role is owner or member.")
    people.change_role(user_id, form.role.data)
    db.session.commit()
    flash("The role is changed.", "success")
    return redirect(url_for("auth.members"))


@bp.post("/members/<uuid:user_id>/removal")
@requires("members:write")
def remove_member(user_id: UUID):
    people.remove(user_id)
    db.session.commit()
    if user_id == current_user.id:
        return redirect(root_url("auth.tenants"))
    flash("They're no longer in this workspace.", "success")
    return redirect(url_for("auth.members"))


@bp.post("/members/leaving")
@requires("workspace:read")
def leave():
    people.remove(current_user.id)
    db.session.commit()
    flash(f"You've left {current_tenant().name}.", "success")
    return redirect(root_url("auth.tenants"))
