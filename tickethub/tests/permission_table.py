"""Who may do what, as data: each route and method of the API, with every id that a path, a query or a body takes.

`{task}` and the like name what is in the project MAIN and another's, `{own_task}` what is in it and the caller's own;
tickethub/tests/world.py makes them. Outsiders and staff once were members, and have tasks and comments of their own
there. The tests put what is hidden from the caller in the place of one name after the other.
"""

from accounts.tests.factories import PASSWORD

ROLES = ["anonymous", "outsider", "staff", "viewer", "member", "admin", "owner"]  # the columns

LISTED = "401 200 200 200 200 200 200"
SEEN = "401 404 404 200 200 200 200"
FOUND = "401 400 400 200 200 200 200"  # by a filter
NEW_TASK = {"project": "{project}", "title": "New"}
RELATED = {"parent": "{other_task}", "labels": ["{label}"], "assignees": ["{person}"], "status": "{slug}"}
INVITED = {"project": "{project}", "email": "a@b.org"}
RELATION = {"source": "{task}", "target": "{own_task}", "type": "blocks"}
IMPORT = {
    "data": '[{"number": 1, "title": "New", "state": "Doing", "user": {"login": "octocat"}}]',
    "statuses": {"Doing": "{slug}"},
    "people": {"octocat": "{handle}"},
}
NEW_STATUS = {"project": "{project}", "name": "New", "category": "todo"}

TABLE = [
    # method, path, body                                                          anon out staff view memb admin owner
    ("GET", "", None, "200" * 7),
    ("GET", "schema/", None, "200" * 7),  # where it is public; else see test_root.py
    ("POST", "auth/register/", {"email": "a@b.org", "username": "new", "password": "difference engine"}, "201" * 7),
    ("POST", "auth/token/", {"email": "{email}", "password": PASSWORD}, "200" * 7),
    ("POST", "auth/token/refresh/", {"refresh": "{refresh}"}, "200" * 7),
    ("POST", "auth/token/blacklist/", {"refresh": "{refresh}"}, "200" * 7),
    ("POST", "auth/password/change/", {"current_password": PASSWORD, "new_password": "a new one"}, "401" + "204" * 6),
    ("POST", "auth/password/reset/", {"email": "{email}"}, "202" * 7),
    (
        "POST",
        "auth/password/reset/confirm/",
        {"uid": "{uid}", "token": "{reset}", "new_password": "a new one"},
        "204" * 7,
    ),
    # People
    ("GET", "users/me/", None, LISTED),
    ("PATCH", "users/me/", {"first_name": "New"}, LISTED),
    ("DELETE", "users/me/", None, "401 204 204 204 204 204 204"),
    ("GET", "users/", None, LISTED),
    ("GET", "users/?search={secret}", None, LISTED),
    ("GET", "users/?search={address}", None, LISTED),
    ("GET", "users/{person}/", None, SEEN),
    ("GET", "users/{own_id}/", None, LISTED),
    # Projects
    ("GET", "projects/", None, LISTED),
    ("GET", "projects/?search={secret}", None, LISTED),
    ("GET", "projects/?search={key}", None, LISTED),
    ("POST", "projects/", {"key": "NEW", "name": "New"}, "401 201 201 201 201 201 201"),
    ("GET", "projects/{key}/", None, SEEN),
    ("GET", "projects/{project}/", None, SEEN),
    ("PATCH", "projects/{key}/", {"name": "New"}, "401 404 404 403 403 200 200"),
    ("PATCH", "projects/{project}/", {"key": "{key}"}, "401 404 404 403 403 200 200"),
    ("PATCH", "projects/{key}/", {"archived": True}, "401 404 404 403 403 403 200"),
    ("PATCH", "projects/{key}/", {"archived": False}, "401 404 404 403 403 403 200"),
    ("DELETE", "projects/{project}/", None, "401 404 404 403 403 403 204"),
    ("DELETE", "projects/{key}/", None, "401 404 404 403 403 403 204"),
    ("POST", "projects/{key}/import/", IMPORT, "401 404 404 403 403 403 200"),
    ("POST", "projects/{project}/import/", {**IMPORT, "dry_run": True}, "401 404 404 403 403 403 200"),
    ("GET", "projects/{key}/export/", None, SEEN),
    ("GET", "projects/{project}/export/", None, SEEN),
    # Who is in them. All triples of actor, target and role are in projects/tests/test_roles.py.
    ("GET", "memberships/", None, LISTED),
    ("GET", "memberships/?project={project}", None, FOUND),
    ("GET", "memberships/?project={key}", None, FOUND),
    ("PATCH", "memberships/{viewer}/", {"role": "member"}, "401 404 404 403 403 200 200"),
    ("PATCH", "memberships/{admin}/", {"role": "member"}, "401 404 404 403 403 403 200"),
    ("PATCH", "memberships/{own_membership}/", {"role": "owner"}, "401 404 404 403 403 403 200"),
    ("DELETE", "memberships/{member}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "memberships/{owner}/", None, "401 404 404 403 403 403 204"),
    ("DELETE", "memberships/{own_membership}/", None, "401 404 404 204 204 204 204"),
    ("GET", "invitations/", None, LISTED),
    ("GET", "invitations/?project={project}", None, FOUND),
    ("GET", "invitations/?project={key}", None, FOUND),
    ("POST", "invitations/", INVITED, "401 400 400 403 403 201 201"),
    ("POST", "invitations/", {**INVITED, "role": "owner"}, "401 400 400 403 403 403 201"),
    ("DELETE", "invitations/{invitation}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "invitations/{owners_invitation}/", None, "401 404 404 403 403 403 204"),
    ("POST", "invitations/accept/", {"token": "{token}"}, "401 404 404 404 404 404 404"),
    ("POST", "invitations/accept/", {"token": "{own_token}"}, "401 201 201 409 409 409 409"),
    # What tasks are sorted by
    ("GET", "statuses/", None, LISTED),
    ("GET", "statuses/?project={project}", None, FOUND),
    ("GET", "statuses/?project={key}", None, FOUND),
    ("POST", "statuses/", NEW_STATUS, "401 400 400 403 403 201 201"),
    ("GET", "statuses/{status}/", None, SEEN),
    ("PATCH", "statuses/{status}/", {"name": "New"}, "401 404 404 403 403 200 200"),
    ("PATCH", "statuses/{status}/", {"project": "{project}"}, "401 404 404 403 403 200 200"),
    ("DELETE", "statuses/{status}/", None, "401 404 404 403 403 204 204"),
    ("GET", "labels/", None, LISTED),
    ("GET", "labels/?project={project}", None, FOUND),
    ("GET", "labels/?project={key}", None, FOUND),
    ("POST", "labels/", {"project": "{project}", "name": "New"}, "401 400 400 403 201 201 201"),
    ("GET", "labels/{label}/", None, SEEN),
    ("PATCH", "labels/{label}/", {"name": "New"}, "401 404 404 403 200 200 200"),
    ("PATCH", "labels/{label}/", {"project": "{project}"}, "401 404 404 403 200 200 200"),
    ("DELETE", "labels/{label}/", None, "401 404 404 403 204 204 204"),
    # Tasks
    ("GET", "tasks/", None, LISTED),
    ("GET", "tasks/?project={project}", None, FOUND),
    ("GET", "tasks/?project={key}", None, FOUND),
    ("GET", "tasks/?status={slug}", None, FOUND),
    ("GET", "tasks/?assignee={person}", None, FOUND),
    ("GET", "tasks/?assignee=me&assignee={person}", None, FOUND),
    ("GET", "tasks/?label={label}", None, FOUND),
    ("GET", "tasks/?created_by={person}", None, FOUND),
    ("GET", "tasks/?parent={task}", None, FOUND),
    ("GET", "tasks/?search={secret}", None, LISTED),
    ("GET", "tasks/?search={task_key}", None, LISTED),
    ("POST", "tasks/", NEW_TASK, "401 400 400 403 201 201 201"),
    ("POST", "tasks/", {**NEW_TASK, **RELATED}, "401 400 400 403 201 201 201"),
    ("POST", "tasks/", {**NEW_TASK, "id": "{own_task_again}"}, "401 400 400 200 200 200 200"),
    ("POST", "tasks/", {**NEW_TASK, "id": "{id_of_another}"}, "401 400 400 403 409 409 409"),
    ("GET", "tasks/{task}/", None, SEEN),
    ("GET", "tasks/{own_task}/", None, SEEN),
    ("GET", "tasks/{task_key}/", None, SEEN),
    ("PATCH", "tasks/{task}/", {"title": "New"}, "401 404 404 403 200 200 200"),
    ("PATCH", "tasks/{task_key}/", {"title": "New"}, "401 404 404 403 200 200 200"),
    ("PATCH", "tasks/{own_task}/", {"title": "New"}, "401 404 404 403 200 200 200"),
    ("PATCH", "tasks/{task}/", RELATED, "401 404 404 403 200 200 200"),
    ("PATCH", "tasks/{task}/", {"id": "{task}", "project": "{project}"}, "401 404 404 403 200 200 200"),
    ("DELETE", "tasks/{task}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "tasks/{task_key}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "tasks/{own_task}/", None, "401 404 404 403 204 204 204"),
    ("POST", "tasks/{task}/move/", {"status": "{slug}"}, "401 404 404 403 200 200 200"),
    ("POST", "tasks/{task_key}/move/", {"status": "{slug}"}, "401 404 404 403 200 200 200"),
    ("POST", "tasks/{task}/move/", {"before": "{own_task}"}, "401 404 404 403 200 200 200"),
    ("POST", "tasks/{own_task}/move/", {"after": "{task}"}, "401 404 404 403 200 200 200"),
    ("POST", "tasks/bulk/", {"ids": ["{task}"], "set": {"title": "New"}}, "401 400 400 403 200 200 200"),
    ("POST", "tasks/bulk/", {"ids": ["{own_task}", "{task}"], "set": RELATED}, "401 400 400 403 200 200 200"),
    ("POST", "tasks/bulk/", {"ids": ["{own_task}"], "delete": True}, "401 400 400 403 204 204 204"),
    ("POST", "tasks/bulk/", {"ids": ["{own_task}", "{task}"], "delete": True}, "401 400 400 403 403 204 204"),
    ("GET", "relations/", None, LISTED),
    ("GET", "relations/?project={project}", None, FOUND),
    ("GET", "relations/?project={key}", None, FOUND),
    ("GET", "relations/?task={task}", None, FOUND),
    ("GET", "relations/?task={task_key}", None, FOUND),
    ("POST", "relations/", RELATION, "401 400 400 403 201 201 201"),
    ("DELETE", "relations/{relation}/", None, "401 404 404 403 204 204 204"),
    # Comments
    ("GET", "comments/", None, LISTED),
    ("GET", "comments/?project={project}", None, FOUND),
    ("GET", "comments/?project={key}", None, FOUND),
    ("GET", "comments/?task={task}", None, FOUND),
    ("GET", "comments/?task={task_key}", None, FOUND),
    ("POST", "comments/", {"task": "{task}", "body": "New"}, "401 400 400 403 201 201 201"),
    ("GET", "comments/{comment}/", None, SEEN),
    ("GET", "comments/{own_comment}/", None, SEEN),
    ("PATCH", "comments/{comment}/", {"body": "New"}, "401 404 404 403 403 403 403"),
    ("PATCH", "comments/{own_comment}/", {"body": "New"}, "401 404 404 200 200 200 200"),
    ("PATCH", "comments/{own_comment}/", {"task": "{own_task}"}, "401 404 404 200 200 200 200"),
    ("DELETE", "comments/{comment}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "comments/{own_comment}/", None, "401 404 404 403 204 204 204"),
    # The log
    ("GET", "events/?project={project}", None, SEEN),
    ("GET", "events/?project={key}", None, SEEN),
    ("GET", "events/?project={key}&task={task}", None, SEEN),
    ("GET", "events/?project={project}&task={task_key}", None, SEEN),
    ("GET", "events/?project={project}&after={cursor}", None, SEEN),
]


def columns(expected):
    """The seven statuses of a row, which may be written without the spaces where they are all one."""
    digits = expected.replace(" ", "")
    return {role: int(digits[3 * n : 3 * n + 3]) for n, role in enumerate(ROLES)}
