"""Projects' pages."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app import auth
from app.auth import requires
from app.db import db, now
from app.errors import Unavailable
from app.features.projects.forms import ProjectChange, ProjectForm
from app.features.projects.listing import page_of
from app.features.projects.models import Project
from app.tenancy import get_or_404

bp = Blueprint("projects", __name__, template_folder="templates")


@bp.get("/")
@requires("projects:read")
def index():
    """The projects, newest first."""
    words = request.args.get("q", "").strip()
    archived = "archived" in request.args
    page = page_of(words=words, archived=archived, after=request.args.get("after", type=UUID))
    names = names_of({project.created_by for project in page.projects})
    return render_template(
        "projects/index.html", page=page, words=words, archived=archived, names=names
    )


@bp.route("/new", methods=["GET", "POST"])
@requires("projects:write")
def new():
    """Begin a project."""
    form = ProjectForm()
    if form.validate_on_submit():
        with form.attempt():
            project = Project.begin(form.name.data, form.description.data)
            db.session.commit()
            flash(f"“{project.name}” is there.", "success")
            return redirect(url_for(".show", project_id=project.id))
    return render_template("projects/new.html", form=form), 422 if form.errors else 200


@bp.get("/<uuid:project_id>")
@requires("projects:read")
def show(project_id: UUID):
    """One project."""
    project = get_or_404(Project, project_id)
    return render_template(
        "projects/show.html", project=project, names=names_of({project.created_by})
    )


@bp.route("/<uuid:project_id>/edit", methods=["GET", "POST"])
@requires("projects:write")
def edit(project_id: UUID):
    """Change a project, unless somebody else did since the form was opened."""
    project = get_or_404(Project, project_id)
    form = ProjectChange(obj=project)
    if form.validate_on_submit():
        with form.attempt():
            project.expect(form.version.data)
            project.change(form.name.data, form.description.data)
            db.session.commit()
            flash("Saved.", "success")
            return redirect(url_for(".show", project_id=project_id))
        form.version.renew(project.version)  # Whoever has read the difference may save again.
    return render_template("projects/edit.html", form=form, project=project), (
        422 if form.errors else 200
    )


@bp.post("/<uuid:project_id>/archival")
@requires("projects:write")
def archive(project_id: UUID):
    """Put a project away."""
    project = get_or_404(Project, project_id)
    project.archive(at=now())
    db.session.commit()
    flash(f"“{project.name}” is in the archive.", "success")
    return redirect(url_for(".index"))


@bp.post("/<uuid:project_id>/restoration")
@requires("projects:write")
def restore(project_id: UUID):
    """Bring a project back from the archive."""
    project = get_or_404(Project, project_id)
    project.restore()
    db.session.commit()
    flash(f"“{project.name}” is back.", "success")
    return redirect(url_for(".show", project_id=project_id))


@bp.route("/<uuid:project_id>/deletion", methods=["GET", "POST"])
@requires("projects:delete")
def delete(project_id: UUID):
    """Ask whether somebody is sure, then remove the project for good."""
    project = get_or_404(Project, project_id)
    if request.method == "GET":
        return render_template("projects/delete.html", project=project)
    project.delete()
    db.session.commit()
    flash(f"“{project.name}” is deleted.", "success")
    return redirect(url_for(".index"))


def names_of(people: set[UUID]) -> dict[UUID, str]:
    """Who they are; a page without names is better than none."""
    try:
        return auth.names_of(people)
    except Unavailable:
        return {}
