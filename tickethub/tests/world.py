"""What the table of permissions speaks of: two projects with everything in them, and somebody of every role in one."""

import json
import re

from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.tests.factories import UserFactory, log_in
from comments.tests.factories import CommentFactory
from projects.models import Role
from projects.tests.factories import InvitationFactory, LabelFactory, MembershipFactory, ProjectFactory, StatusFactory
from realtime.models import Event
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub.tests.permission_table import ROLES, TABLE

API = "/api/v1/"
INSIDE = set(Role.values)
NAME = re.compile(r"\{(\w+)\}")
# What the caller has whatever project they are in, or what is not to be seen by anybody but is no secret.
ONES_OWN = {"own_id", "own_token", "email", "refresh", "uid", "reset"}
# A task's new id is the one that is answered otherwise when a hidden task has it: nobody else may take it.
NEW_IDS = {"own_task_again", "id_of_another"}


class Site:
    """A project with everything in it. `word` is in every text of it: what outsiders must not read."""

    def __init__(self, key):
        self.word = f"{key.lower()}-word"
        project = self.project = ProjectFactory(key=key, name=self.word, description=self.word)
        self.people = {
            role: MembershipFactory(
                project=project, role=role, user__username=f"{key.lower()}-{role}", user__first_name=self.word
            )
            for role in Role.values
        }
        person = self.people["member"].user
        column = StatusFactory(project=project, name=f"{key.lower()} column")
        label = LabelFactory(project=project, name=self.word)
        task = TaskFactory(
            project=project, title=self.word, description=self.word, created_by=person, status=column, parent=None
        )
        task.labels.add(label)
        task.assignees.add(person)
        other = TaskFactory(project=project, title=self.word, created_by=person)
        TaskFactory(project=project, title=self.word, created_by=person, parent=task)
        comment = CommentFactory(task=task, author=person, body=self.word)
        self.names = {
            **{role: membership.pk for role, membership in self.people.items()},
            "project": project.pk,
            "key": key,
            "secret": self.word,
            "person": person.pk,
            "address": person.email,
            "handle": person.username,
            "task": task.pk,
            "task_key": task.key,
            "other_task": other.pk,
            "relation": TaskRelationFactory(source=task).pk,
            "comment": comment.pk,
            "label": label.pk,
            "status": StatusFactory(project=project, name=self.word).pk,
            "slug": column.slug,
            "invitation": InvitationFactory(project=project, email=f"{self.word}@example.org").pk,
            "owners_invitation": InvitationFactory(project=project, role="owner").pk,
            "token": InvitationFactory(project=project).token,
            "own_membership": self.people["owner"].pk,
            "own_task": task.pk,
            "own_comment": comment.pk,
            "id_of_another": task.pk,
        }


class World:
    """MAIN with somebody of every role, and DARK, which those of MAIN are not in."""

    def __init__(self, client_of):
        self.main, self.dark = Site("MAIN"), Site("DARK")
        staff = {"is_staff": True, "is_superuser": True}
        self.people = {role: UserFactory(username=role, **(staff if role == "staff" else {})) for role in ROLES}
        self.clients = {role: client_of(None if role == "anonymous" else self.people[role]) for role in ROLES}
        self.own_names = {role: self.own(role) for role in ROLES}
        for site in (self.main, self.dark):  # the last that is made, since the log goes on
            site.names["cursor"] = Event.objects.of(site.project.pk).reverse()[1].cursor

    def own(self, role):
        """What belongs to the person of a role; those who have no membership name another's."""
        person, project = self.people[role], self.main.project
        task = TaskFactory(project=project, title=self.main.word, created_by=person)
        task.assignees.add(self.main.people["member"].user)
        names = {
            "own_id": person.pk,
            "own_task": task.pk,
            "own_task_again": task.pk,
            "own_comment": CommentFactory(task=task, author=person, body=self.main.word).pk,
            "own_token": InvitationFactory(project=project, email=person.email).token,
            "email": person.email,
            "refresh": log_in(person),
            "uid": urlsafe_base64_encode(force_bytes(person.pk)),
            "reset": default_token_generator.make_token(person),
        }
        if role in INSIDE:
            names["own_membership"] = MembershipFactory(project=project, user=person, role=role).pk
        return names

    def names(self, role):
        return {**self.main.names, **self.own_names[role]}

    def hidden(self, role):
        """The project that a role must not see."""
        return self.dark if role in INSIDE else self.main

    def hidden_names(self, role):
        """What each name means in the project that the role must not see."""
        return self.dark.names if role in INSIDE else self.names(role)

    def request(self, role, method, path, body, headers=None):
        return getattr(self.clients[role], method.lower())(API + path, body, headers=headers)


def absent(value):
    """What does not exist, as long and of the same form as `value`, which does."""
    value = str(value)
    if "." in value and value[0].isdigit():  # a cursor: the same number in another history
        return value.partition(".")[0] + ".00000000"
    for word in ("main", "dark", "MAIN", "DARK"):
        value = value.replace(word, "void" if word.islower() else "VOID")
    if re.fullmatch(r"[0-9a-f-]{36}", value):
        return f"{value[:24]}00000000dead"
    if re.fullmatch(r"[\w-]{43}", value):  # a token
        return "0" * 43
    return value


def places(path, body):
    """The names in a path and a body, one for each place where one stands."""
    return NAME.findall(json.dumps([path, body]))


def filled(path, body, names, **instead):
    """A path and a body with the names replaced by what they name; `instead={place: value}` comes before."""
    count = iter(range(1000))

    def value(match):
        return str(instead.get(f"at_{next(count)}", names[match[1]]))

    return json.loads(NAME.sub(value, json.dumps([path, body])))


def asked_twice(world, role, path, body):
    """For each place of a hidden thing: its value, that of an absent one, and the two requests' paths and bodies."""
    names, hidden = world.names(role), world.hidden_names(role)
    for place, name in enumerate(places(path, body)):
        if name not in ONES_OWN | NEW_IDS:
            there, nowhere = str(hidden[name]), absent(hidden[name])
            assert there != nowhere
            yield there, nowhere, *(filled(path, body, names, **{f"at_{place}": value}) for value in (there, nowhere))


ROWS_WITH_IDS = [row[:3] for row in TABLE if set(places(*row[1:3])) - ONES_OWN - NEW_IDS]
