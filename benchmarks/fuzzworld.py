"""What is fuzzed: the API in this process, over a project with something of all kinds, each change undone."""

import re
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import BytesIO
from itertools import count
from random import Random
from uuid import UUID

from django.apps import apps
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.core.signals import got_request_exception, request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, connections, transaction
from django.test import TestCase
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from schemathesis.core.parameters import ParameterLocation

from accounts.tests.checks import everything
from accounts.tests.factories import PASSWORD, UserFactory, log_in
from comments.tests.factories import CommentFactory
from projects.tests.factories import InvitationFactory, LabelFactory, ProjectFactory, StatusFactory
from realtime.models import Event
from tasks.tests.factories import TaskFactory, TaskRelationFactory

NEW_PASSWORD = "a wholly new one"
ROLES = ["viewer", "member", "admin", "owner"]
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
TOKENS = re.compile(r"\bey[\w.-]{60,}")  # of which no two are the same
MARK, ESCAPED, SURROGATE = "\ue000", rb"\ue000", rb"\ud800"  # which no generator makes: it is put into ready bodies
LEFT_OVER, TRACEBACK = "X-Left-Over", "X-Traceback"

# --- The world ----------------------------------------------------------------------------------------------------


class World:
    """A project with one person of each role and another owner, and a foreign project, with something of all kinds."""

    def __init__(self):
        self.people = {role: UserFactory(username=role) for role in ROLES}
        self.ids = {"own": {}, "foreign": {}}
        own = self.fill("own", ProjectFactory(key="OWN", **self.people), list(self.people.values()))
        # So that an owner may leave, and delete their account.
        own.memberships.create(user=UserFactory(username="second"), role="owner")
        strangers = UserFactory.create_batch(2)
        other = self.fill("foreign", ProjectFactory(key="OTHER", owner=strangers[0]), strangers)
        self.invitations = {
            role: InvitationFactory(project=other, email=person.email).token for role, person in self.people.items()
        }
        self.cursor = Event.objects.of(own.pk).last().cursor
        # One login to ask with, one to be refreshed, and one to be ended.
        self.logins = {role: [log_in(person) for _ in range(3)] for role, person in self.people.items()}

    def fill(self, whose, project, people):
        """Make something of all kinds in a project, and keep the ids."""
        tasks = [TaskFactory(project=project, created_by=person) for person in people * 2]
        labels = LabelFactory.create_batch(2, project=project)
        for task, label in zip(tasks, labels, strict=False):
            task.labels.add(label)
            task.assignees.add(people[0])
        StatusFactory(project=project, slug="unused", name="Unused")
        rows = {
            "projects": [project],
            "memberships": project.memberships.all(),
            "invitations": InvitationFactory.create_batch(2, project=project),
            "statuses": project.statuses.all(),
            "labels": labels,
            "tasks": tasks,
            "relations": [TaskRelationFactory(source=tasks[0], target=tasks[1])],
            "comments": [CommentFactory(task=tasks[0], author=person) for person in people],
            "users": people,
        }
        self.ids[whose] = {kind: [str(row.pk) for row in some] for kind, some in rows.items()}
        return project

    def credentials(self, name):
        """What somebody knows that no generator can find: `{(path, field): value}`."""
        somebody = name if name in self.people else "owner"
        person, (_, to_refresh, to_end) = self.people[somebody], self.logins[somebody]
        secrets = {
            ("/auth/token/", "email"): person.email,
            ("/auth/token/", "password"): PASSWORD,
            ("/auth/token/refresh/", "refresh"): str(to_refresh),
            ("/auth/token/blacklist/", "refresh"): str(to_end),
            ("/auth/password/change/", "current_password"): PASSWORD,
            ("/auth/password/change/", "new_password"): NEW_PASSWORD,
            ("/auth/password/reset/", "email"): person.email,
            ("/auth/password/reset/confirm/", "new_password"): NEW_PASSWORD,
            ("/auth/register/", "password"): NEW_PASSWORD,
            ("/auth/password/reset/confirm/", "uid"): urlsafe_base64_encode(force_bytes(person.pk)),
            ("/auth/password/reset/confirm/", "token"): default_token_generator.make_token(person),
        }
        if name in self.invitations:
            secrets["/invitations/accept/", "token"] = self.invitations[name]
        return secrets

    def headers(self, name):
        if name not in self.people:
            return {}
        return {"Authorization": f"Bearer {self.logins[name][0].access_token}"}


# --- The application ----------------------------------------------------------------------------------------------


class Undone:
    """The API as a WSGI application, without a server. What a request changes is undone, at once or at `begin()`.

    One thread answers, and has the connection. What no client would see comes as headers of the answer.
    """

    def __init__(self):
        self.application = get_wsgi_application()
        self.thread = ThreadPoolExecutor(1)
        self.is_scenario = False
        self.transaction = None
        self.make_ids_anew()
        request_started.disconnect(close_old_connections)  # as it would within a transaction
        request_finished.disconnect(close_old_connections)
        got_request_exception.connect(self.keep_traceback)
        self.world = self.do(World)
        self.before = self.do(everything)
        self.first_id = next(self.ids)

    def make_ids_anew(self):
        """Let ids count up, and from the same one after each undoing: a run that is repeated meets the same ones."""
        self.ids = count()
        for model in apps.get_models():
            if model._meta.pk.get_internal_type() == "UUIDField":
                model._meta.pk._get_default = lambda: UUID(f"01900000-0000-7000-8000-{next(self.ids):012x}")

    def do(self, work, *args):
        return self.thread.submit(work, *args).result()

    def keep_traceback(self, **kwargs):
        self.traceback = traceback.format_exc()

    def close(self):
        """End the thread with its connection."""
        self.do(connections.close_all)
        self.thread.shutdown()

    def begin(self):
        """Undo what was done, and start anew."""
        self.do(self.undo)

    def undo(self):
        if self.transaction:
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)
        self.transaction, self.ids = None, count(self.first_id)

    def __call__(self, environ, start_response):
        return self.do(self.answer, environ, start_response)

    def answer(self, environ, start_response):
        environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read().replace(ESCAPED, SURROGATE))
        if not self.transaction:
            self.transaction = transaction.atomic()
            self.transaction.__enter__()
        mail.outbox.clear()
        self.traceback, written = "", []

        def note(execute, sql, *args):
            if WRITES.match(sql):
                written.append(sql)
            return execute(sql, *args)

        def start(status, headers):
            start_response(status, headers + self.secret_headers(status >= "4" and bool(written or mail.outbox)))

        try:
            with (
                connection.execute_wrapper(note),
                TestCase.captureOnCommitCallbacks(execute=True),
                closing(self.application(environ, start)) as answer,
            ):
                body = list(answer)  # here: another thread would not see what the chain has made so far
            if written:
                connection.check_constraints()  # as a commit does
            return body
        finally:
            if not self.is_scenario:
                self.undo()

    def secret_headers(self, might_have_changed):
        headers = [(TRACEBACK, repr(self.traceback))] if self.traceback else []
        if might_have_changed and not self.is_scenario and everything() != self.before:
            headers.append((LEFT_OVER, "yes"))
        return headers


# --- What is sent ---------------------------------------------------------------------------------------------------


class Aim:
    """Put ids that exist, and what somebody knows, in the place of some made up ones, or all would end in 404."""

    KINDS = {
        "project": "projects",
        **dict.fromkeys(["task", "source", "target", "parent", "before", "after", "ids"], "tasks"),
        **dict.fromkeys(["assignees", "assignee", "created_by", "user", "author"], "users"),
        **dict.fromkeys(["labels", "label"], "labels"),
    }
    STATUSES = ["backlog", "todo", "in-progress", "done", "unused"]
    EVERY = 10  # of so many values one stays as it was made, and one is a foreign one

    def __init__(self, application, name):
        world, self.application = application.world, application
        self.ids, self.cursor, self.secrets = world.ids, world.cursor, world.credentials(name)
        self.known = {pk for kinds in self.ids.values() for some in kinds.values() for pk in some}

    def __call__(self, context, case, kwargs):
        seen = f"{case.operation.label} {case.path_parameters} {case.query} {case.body!r}"
        self.chance = Random(TOKENS.sub("", seen))
        path = case.operation.path
        if case.path_parameters and "id" in case.path_parameters:
            kind = path.split("/")[1]
            case.path_parameters["id"] = self.hit(kind, case.path_parameters["id"], self.is_valid(case, "path"))
        if case.headers and "If-Match" in case.headers and self.chance.random() < 0.5:
            case.headers["If-Match"] = '"1"'  # the version of what was just made
        for name, value in (case.query or {}).items():
            case.query[name] = self.replace(path, name, value, self.is_valid(case, "query"))
        if isinstance(case.body, dict):
            is_valid = self.is_valid(case, "body")
            bodies = [case.body, *(inner for inner in case.body.values() if isinstance(inner, dict))]
            for body in bodies:
                for name, value in body.items():
                    body[name] = self.replace(path, name, value, is_valid)

    @staticmethod
    def is_valid(case, location):
        return case.meta is None or not case.meta.is_negative_at(ParameterLocation(location))

    def replace(self, path, name, value, is_valid):
        if isinstance(value, list):
            items = [self.replace(path, name, item, is_valid) for item in value]
            is_of_ids = name in self.KINDS and all(isinstance(item, str) for item in items)
            return list(dict.fromkeys(items)) if is_of_ids and is_valid else items
        if not isinstance(value, str):
            return value
        if path == "/events/" and name == "after":
            return self.cursor if is_valid and self.chance.random() < 0.5 else value
        if name in self.KINDS:
            return self.hit(self.KINDS[name], value, is_valid)
        if is_valid and name == "status" and path.startswith("/tasks/"):
            return self.chance.choice(self.STATUSES)
        if is_valid and (path, name) in self.secrets and self.chance.random() < 0.7:
            return self.secrets[path, name]
        return value if self.chance.random() > 0.03 else value + MARK

    def hit(self, kind, value, is_valid):
        """An id of this kind for one that leads nowhere; the value as it is where it is there to be wrong."""
        if value in self.known or not (is_valid or is_uuid(value)):
            return value
        which = self.chance.randrange(self.EVERY)
        return value if which == 0 else self.chance.choice(self.ids["foreign" if which == 1 else "own"][kind])

    def learn(self, case, response):
        """Let what was made in a scenario be named again."""
        if self.application.is_scenario and response.status_code == 201:
            self.known.add(response.json().get("id"))


def is_uuid(value):
    try:
        return str(UUID(value)) == value.lower()
    except (ValueError, AttributeError, TypeError):
        return False
