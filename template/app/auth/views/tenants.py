"""The list of one's workspaces, and a new one."""

from flask import redirect, render_template
from flask_login import current_user

from app.access import login_required
from app.auth import invitations
from app.auth import tenants as all_tenants
from app.auth.forms import WorkspaceForm
from app.auth.views import bp
from app.db import db
from app.tenancy import tenant_url


@bp.get("/workspaces")
@login_required
def tenants():
    """Where somebody belongs, to switch between."""
    return render_template(
        "auth/tenants.html",
        tenants=all_tenants.of(current_user.id),
        invitations=invitations.to(current_user.email),
        form=WorkspaceForm(),
    )


@bp.route("/workspaces/new", methods=["GET", "POST"])
@login_required
def new_tenant():
    form = WorkspaceForm()
    if form.validate_on_submit():
        organisation = all_tenants.found(form.name.data, current_user.id)
        db.session.commit()
        return redirect(tenant_url(organisation.slug))
    return render_template("auth/new_tenant.html", form=form), 422 if form.errors else 200
