"""The pages about roles: which there are, what each allows, and what somebody may do and why."""

from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, url_for

from app.access import requires
from app.auth.models import Membership, User
from app.db import db
from app.stages.hardened.rbac import builtin, defining, explaining, holding, listing
from app.stages.hardened.rbac.forms import DeletionForm, RoleChange, RoleForm, RolesForm
from app.tenancy import current_tenant

bp = Blueprint("rbac", __name__, template_folder="templates")
COVERED = ("rbac.roles", "rbac.new", "rbac.edit", "rbac.delete", "rbac.access", "rbac.assign")


@bp.get("/members/roles")
@requires("roles:read")
def roles():
    """The roles of the workspace."""
    return render_template("rbac/roles.html", roles=listing.everything(), known=builtin.declared())


@bp.route("/members/roles/new", methods=["GET", "POST"])
@requires("roles:write")
def new():
    """Make a role."""
    form = RoleForm()
    if form.validate_on_submit():
        with form.attempt():
            role = defining.create(form.name.data, form.permissions.data)
            db.session.commit()
            flash(f"“{role.name}” is there. Give it to members on their page “Access”.", "success")
            return redirect(url_for(".roles"))
    return render_template("rbac/new.html", form=form), 422 if form.errors else 200


@bp.route("/members/roles/<uuid:role_id>", methods=["GET", "POST"])
@requires("roles:write")
def edit(role_id: UUID):
    """Change a role, unless somebody else did since the form was opened."""
    role = defining.find(role_id)
    defining.refuse_built_in(role)
    form = RoleChange(obj=role, data={"permissions": role.kept})
    if form.validate_on_submit():
        with form.attempt():
            role.expect(form.version.data)
            defining.change(role, form.name.data, form.permissions.data)
            db.session.commit()
            flash("Saved. It counts at once.", "success")
            return redirect(url_for(".roles"))
        form.version.renew(role.version)
    return render_template("rbac/edit.html", form=form, role=listing.one(role)), (
        422 if form.errors else 200
    )


@bp.route("/members/roles/<uuid:role_id>/deletion", methods=["GET", "POST"])
@requires("roles:write")
def delete(role_id: UUID):
    """Delete a role; who has it gets another."""
    role = defining.find(role_id)
    defining.refuse_built_in(role)
    form = DeletionForm(role)
    if form.validate_on_submit():
        with form.attempt():
            defining.delete(role, form.target)
            db.session.commit()
            flash("The role is deleted.", "success")
            return redirect(url_for(".roles"))
    return render_template("rbac/delete.html", form=form, role=listing.one(role)), (
        422 if form.errors else 200
    )


@bp.get("/members/<uuid:user_id>/access")
@requires("roles:read")
def access(user_id: UUID):
    """What a member may do, and why."""
    held = [role.id for role in holding.of_member(find_member(user_id).user_id)]
    return access_page(user_id, RolesForm(data={"roles": held})), 200


@bp.post("/members/<uuid:user_id>/roles")
@requires("roles:write")
def assign(user_id: UUID):
    """Give a member roles."""
    form = RolesForm()
    find_member(user_id)
    if form.validate_on_submit():
        with form.attempt():
            holding.assign(user_id, form.roles.data)
            db.session.commit()
            flash("The roles are changed. They count at once.", "success")
            return redirect(url_for(".access", user_id=user_id))
    return access_page(user_id, form), 422


def access_page(user_id: UUID, form: RolesForm) -> str:
    user = db.session.get_one(User, user_id)
    membership = find_member(user_id)
    return render_template(
        "rbac/access.html",
        user=user,
        is_owner=membership.role == "owner",
        decisions=list(explaining.everything(user, current_tenant())),
        form=form,
    )


def find_member(user_id: UUID) -> Membership:
    """Somebody in the current tenant, or 404."""
    return db.session.get(Membership, (current_tenant().id, user_id)) or abort(404)
