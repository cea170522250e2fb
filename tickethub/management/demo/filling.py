"""Filling the demo: the story's steps, done by its people and at its times as if by requests to the API."""

from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Prefetch, Q
from django.utils import timezone

from accounts.models import User
from comments.models import Comment
from projects.models import Invitation, Membership, Project, Role
from tasks.models import Task, TaskRelation
from tickethub.management.demo.story import Story, read
from tickethub.middleware import current_request

PASSWORD = "demo-password"  # noqa: S105 everybody may know it: the demo is made under DEBUG alone


def email_of(username):
    return f"{username}@example.com"


def logins():
    """The people of the demo that one can log in as, staff first, with their projects. None where there is no demo."""
    emails = [email_of(person["username"]) for person in read("company")["people"]]
    people = User.objects.filter(email__in=emails, is_active=True).order_by("-is_staff", "email")
    return people.prefetch_related(Prefetch("memberships", Membership.objects.select_related("project").order_by("pk")))


def is_there():
    """Whether anything of the demo is there, or in its place: then nothing is touched any more."""
    usernames = [person["username"] for person in read("company")["people"]]
    keys = [project["key"] for project in read("company")["projects"]]
    people = Q(username__in=usernames) | Q(email__in=map(email_of, usernames))
    return User.objects.filter(people).exists() or Project.objects.filter(key__in=keys).exists()


def fill():
    """Make the demo, all of it or nothing. What it holds is the same each time, but dated back from today."""
    story = Story(today=timezone.now().date())
    with transaction.atomic(), clock() as time:
        world = World()
        time.now = story.moment(0)
        world.make_people(time.now)
        for number, step in enumerate(story.steps, 1):
            time.now = story.moment(step.when)
            world.act(f"demo-{number}", step)


@contextmanager
def clock():
    """Let Django take the time from the `now` of what this gives, so that rows and events are as old as told.

    It is `datetime` that is replaced, since models keep hold of `timezone.now` itself as a default.
    """
    time = SimpleNamespace(now=timezone.now())

    class StoryTime(datetime):
        @classmethod
        def now(cls, tz=None):
            return time.now

    timezone.datetime = StoryTime
    try:
        yield time
    finally:
        timezone.datetime = datetime


class World:
    """What there is by now, under its name in the story; below, what each verb of it does in one request of `actor`."""

    actor = None

    def __init__(self):
        self.people, self.projects, self.statuses, self.labels, self.tasks, self.comments = {}, {}, {}, {}, {}, {}

    def make_people(self, date_joined):
        password = make_password(PASSWORD)  # hashed once: it takes its time
        for number, person in enumerate(read("company")["people"]):
            user = User(email=email_of(person["username"]), password=password, date_joined=date_joined, **person)
            user.is_staff = user.is_superuser = number == 0
            user.save()
            self.people[user.username] = user

    def act(self, request_id, step):
        """Do one step as one request of its actor."""
        self.actor = self.people[step.actor]
        token = current_request.set(SimpleNamespace(id=request_id, user=self.actor))
        try:
            with transaction.atomic(savepoint=False):
                getattr(self, step.verb)(*step.details)
        finally:
            current_request.reset(token)

    # --- Projects ---

    def make_project(self, key, name, text):
        project = self.projects[key] = Project(key=key, name=name, description=text)
        project.save()
        project.memberships.create(user=self.actor, role=Role.OWNER)
        self.statuses |= {(key, status.slug): status for status in project.statuses.all()}

    def describe_project(self, key, text):
        project = self.projects[key]
        project.description = text
        project.save(update_fields=["description"])

    def join(self, key, username, role):
        self.projects[key].memberships.create(user=self.people[username], role=role)

    def set_role(self, key, username, role):
        membership = self.projects[key].memberships.get(user=self.people[username])
        membership.role = role
        membership.save(update_fields=["role"])

    def leave(self, key, username):
        self.projects[key].memberships.get(user=self.people[username]).delete()

    def invite(self, key, email, role):
        invitation = Invitation(project=self.projects[key], email=email, role=role)
        invitation.make_token()  # which nobody learns: the demo mails nobody
        invitation.save()

    def make_status(self, key, name, category):
        self.projects[key].statuses.create(name=name, category=category, position=len(Project.DEFAULT_STATUSES))

    def make_label(self, key, name, color):
        self.labels[key, name] = self.projects[key].labels.create(name=name, color=color)

    def drop_label(self, key, name):
        self.labels.pop((key, name)).delete()

    # --- Tasks ---

    def make_task(self, name, title, text, status, parent):
        key, _ = name
        task = self.tasks[name] = Task(
            project=self.projects[key],
            title=title,
            description=text,
            status=self.statuses[key, status],
            parent=parent and self.tasks[parent],
            created_by=self.actor,
        )
        task.save()

    def change_task(self, name, values):
        key, _ = name
        task = self.tasks[name]
        fields = dict(values)
        people, labels = fields.pop("assignees", []), fields.pop("labels", [])
        if "status" in fields:
            fields["status"] = self.statuses[key, fields["status"]]
        with task.as_one_change():
            task.assignees.add(*(self.people[username] for username in people))
            task.labels.add(*(self.labels[key, label] for label in labels))
            for field, value in fields.items():
                setattr(task, field, value)
            task.save(update_fields=list(fields))

    def place(self, name, before):
        self.tasks[name].move(before=self.tasks[before])

    def delete_task(self, name):
        self.tasks.pop(name).delete()

    def relate(self, name, other, kind):
        TaskRelation(source=self.tasks[name], target=self.tasks[other], type=kind).save()

    # --- Comments ---

    def comment(self, name, final_body, body):
        comment = self.comments[name, final_body] = Comment(task=self.tasks[name], author=self.actor, body=body)
        comment.save()

    def edit_comment(self, name, final_body):
        self.comments[name, final_body].edit(final_body)
