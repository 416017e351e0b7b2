"""The workspace's settings, and its audit trail."""

from flask import flash, redirect, render_template, request

from app.access import requires
from app.auth import tenants, trail
from app.auth.forms import SettingsForm
from app.auth.views import bp
from app.db import db
from app.tenancy import current_tenant, tenant_url


@bp.get("/settings")
@requires("workspace:read")
def settings():
    return render_template("auth/settings.html", form=SettingsForm(obj=current_tenant()))


@bp.post("/settings")
@requires("workspace:write")
def change_settings():
    form = SettingsForm()
    if form.validate_on_submit():
        with form.attempt():
            tenants.change(form.name.data, form.slug.data)
            db.session.commit()
            flash("The settings are saved.", "success")
            return redirect(tenant_url(form.slug.data, "auth.settings"))
    return render_template("auth/settings.html", form=form), 422


@bp.get("/settings/audit")
@requires("audit:read")
def audit():
    deeds, older = trail.page_of(request.args.get("before", ""))
    return render_template("auth/audit.html", deeds=deeds, older=older)
