"""Projects, who is in them with which role, and what their tasks are sorted by."""

import hashlib
import re
import secrets
from functools import cache
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import connection, models, transaction
from django.db.models.functions import UUID4
from django.utils import timezone
from django.utils.text import slugify

from accounts.models import LowerCaseEmailField, User
from tickethub.errors import Conflict, Overtaken
from tickethub.models import ProjectCounter, TrackedModel, TrackedQuerySet, UUIDModel, as_uuid
from tickethub.pool import PATIENT, set_bounds
from tickethub.prepared import Prepared
from tickethub.transactions import check_again


class Role(models.TextChoices):
    """What a person may do in a project, from least to most."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"

    def covers(self, other):
        """Whether this role may do all that `other` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class InProjectQuerySet(TrackedQuerySet):
    """Rows of a project, which `way` leads to, seen by its members."""

    way = "project"

    def visible_to(self, user):
        return self.filter(**{f"{self.way}__in": Project.ids_of(user)}) if user.is_authenticated else self.none()

    def visible_in(self, project, user):
        """Those of one project, seen by `user`: the database looks at a membership once, and not for each row."""
        return self.filter(**{self.way: Project.ids_of(user).filter(project=project)[:1]})


class ProjectQuerySet(TrackedQuerySet):
    def visible_to(self, user):
        """The projects `user` is in, each with their `role` there."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(memberships__user=user).annotate(role=models.F("memberships__role"))

    def to_be_deleted(self):
        """The same, with all that is in them locked, as all who write there lock it: the boards last."""
        projects = list(super().to_be_deleted())
        if not connection.features.has_select_for_update:  # one writes at a time
            return projects
        set_bounds(PATIENT)
        rows = Project.objects.filter(pk__in=[project.pk for project in projects])
        rows.lock_what_goes_along()
        for counter in (relation.related_model for relation in Project._meta.related_objects):
            if issubclass(counter, ProjectCounter):
                list(counter.objects.filter(project__in=rows).order_by("pk").select_for_update().values_list("pk"))
        return projects

    def named(self, name):
        """The project with this id or key, none for a word that is neither."""
        return self.filter(key=name) if Project.KEY.regex.match(name) else self.filter(pk=as_uuid(name))


def find_visible(model, name, user):
    """The row of this id or key, None if `user` sees none."""
    return visible_by_id(model).first(name, user.pk) or model.objects.visible_to(user).named(name).first()


@cache
def visible_by_id(model):
    """The row of an id, as a query by it and by the id of who is to see it."""
    return Prepared(lambda pk, user: model.objects.visible_to(User(pk=user)).filter(pk=pk))


def one_line(value):
    """Raise ValidationError for control characters: a name stands in mails, and would write lines of its own there."""
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", value):
        raise ValidationError("This is one line, without control characters.", "invalid")


class Project(TrackedModel):
    KEY = RegexValidator(r"\A[A-Z][A-Z0-9]{1,9}\Z", "2 to 10 capital letters or digits, a letter first.")
    DEFAULT_STATUSES = (
        ("Backlog", "backlog"),
        ("Todo", "todo"),
        ("In progress", "in_progress"),
        ("In review", "in_progress"),
        ("Done", "done"),
        ("Cancelled", "cancelled"),
    )

    key = models.CharField(
        max_length=10, unique=True, validators=[KEY], help_text="Fixed once made; begins each task's key."
    )
    name = models.CharField(max_length=100, validators=[one_line])
    description = models.TextField(max_length=10_000, blank=True, default="")
    archived_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)
    # Shown to nobody: who could guess the ids of what is imported could ask for them, or take them before.
    import_key = models.UUIDField(default=uuid4, db_default=UUID4(), editable=False)

    objects = ProjectQuerySet.as_manager()

    def __str__(self):
        return self.key

    def save(self, **kwargs):
        is_new = self._state.adding
        with transaction.atomic(savepoint=False):
            super().save(**kwargs)
            if is_new:
                self.make_default_statuses()

    def delete(self, *args, **kwargs):
        """Delete the project with all that is in it. Whoever writes there is waited for, or waits."""
        with transaction.atomic(savepoint=False):
            Project.objects.filter(pk=self.pk).to_be_deleted()
            return super().delete(*args, **kwargs)

    def make_default_statuses(self):
        now = timezone.now()
        Status.objects.make_all(
            [
                Status(
                    project=self,
                    name=name,
                    slug=Status.slug_of(name),
                    category=category,
                    position=position,
                    is_default=name == "Todo",
                    created_at=now,
                )
                for position, (name, category) in enumerate(self.DEFAULT_STATUSES)
            ]
        )

    @staticmethod
    def ids_of(user):
        """The ids of the projects that `user` is in, to be asked for within another query: a join would be begun with
        where many rows are to be sorted, and only the first of them are wanted.
        """
        return Membership.objects.filter(user=user).values("project")

    def refuse_if_archived(self):
        if self.archived_at:
            raise Conflict("This project is archived: it is read-only until it is restored.", "archived")

    def refuse_while_archived(self):
        """The same, and look again when the write under way is done, as `require_role` does."""
        self.refuse_if_archived()
        check_again(Project.refuse_if_archived_meanwhile, self.pk)

    @classmethod
    def refuse_if_archived_meanwhile(cls, pk):
        """Raise Overtaken if it is archived by now."""
        if cls.objects.filter(pk=pk).exclude(archived_at=None).exists():
            raise Overtaken


class MembershipQuerySet(InProjectQuerySet):
    def owning(self):
        return self.filter(role=Role.OWNER).order_by("project")

    def owning_locked(self):
        """The same, with all the projects locked: nobody makes these people last owners until the transaction ends."""
        list(Project.objects.filter(pk__in=self.values("project")).locked())
        return self.owning()


class Membership(TrackedModel):
    """A person in a project. People with memberships cannot be deleted, only deactivated."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships", db_index=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)

    objects = MembershipQuerySet.as_manager()

    class Meta(TrackedModel.Meta):
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="membership_once")]

    def __str__(self):
        return f"{self.user} in {self.project}"

    def save(self, **kwargs):
        with transaction.atomic(savepoint=False):
            if self._state.adding and connection.features.has_select_for_update:
                list(User.objects.filter(pk=self.user_id).locked())  # or who renames them would not see this to tell it
            super().save(**kwargs)

    def delete(self, *args, **kwargs):
        """Remove the person, and unassign their tasks here: an assignee is a member."""
        with transaction.atomic(savepoint=False):
            self.lock()
            self.user.assigned_tasks.filter(project=self.project_id).take_off("assignees", self.user_id)
            return super().delete(*args, **kwargs)

    def refuse_for_last_owner(self):
        """Raise Conflict if nobody else who can log in owns the project. Locks it, so that of two owners one stays."""
        Project.objects.locked().get(pk=self.project_id)
        others = self.project.memberships.owning().exclude(pk=self.pk).filter(user__is_active=True)
        if not others.exists():
            raise Conflict("A project needs an owner. Give it another one first.", "last_owner")


class InvitationQuerySet(InProjectQuerySet):
    def open(self):
        return self.filter(accepted_at=None, expires_at__gt=timezone.now())

    def with_token(self, token):
        return self.filter(token_hash=Invitation.hash(token))


def invitation_expiry():
    return timezone.now() + settings.INVITATION_LIFETIME


class Invitation(UUIDModel):
    """A way into a project for the person with an address. The token itself is kept nowhere, its hash is."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="invitations")
    email = LowerCaseEmailField()
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField(default=invitation_expiry)
    accepted_at = models.DateTimeField(null=True, blank=True)
    # Null for one that was made before this was noted, or not by a person.
    invited_by = models.ForeignKey(User, models.PROTECT, null=True, editable=False, related_name="invitations_made")

    objects = InvitationQuerySet.as_manager()

    def __str__(self):
        return f"{self.email} to {self.project}"

    @staticmethod
    def hash(token):
        return hashlib.sha256(token.encode()).hexdigest()

    def make_token(self):
        """Set a new token and give it: the one time it can be read."""
        token = secrets.token_urlsafe(32)
        self.token_hash = self.hash(token)
        return token

    def accept(self, user):
        """Let `user` in, once. Raises Conflict for a member."""
        if self.project.memberships.filter(user=user).exists():
            raise Conflict("You are in this project already.", "already_member")
        self.accepted_at = timezone.now()
        self.save(update_fields=["accepted_at"])
        return self.project.memberships.create(user=user, role=self.role)


class Status(TrackedModel):
    """A column of a project's board. `slug` names it in tasks and is fixed once made."""

    class Category(models.TextChoices):
        BACKLOG = "backlog"
        TODO = "todo"
        IN_PROGRESS = "in_progress"
        DONE = "done"
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, models.CASCADE, related_name="statuses")
    slug = models.SlugField(max_length=50, db_index=False)
    name = models.CharField(max_length=50)
    category = models.CharField(max_length=12, choices=Category)
    position = models.PositiveIntegerField(default=0, validators=[MaxValueValidator(1_000_000)])
    is_default = models.BooleanField(default=False, help_text="What a new task gets. One in each project.")

    objects = InProjectQuerySet.as_manager()

    class Meta(TrackedModel.Meta):
        verbose_name_plural = "statuses"
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="status_slug_once"),
            models.UniqueConstraint(fields=["project"], condition=models.Q(is_default=True), name="status_one_default"),
        ]

    def __str__(self):
        return f"{self.project} {self.slug}"

    @classmethod
    def slug_of(cls, name):
        return slugify(name)[: cls._meta.get_field("slug").max_length]

    def save(self, *, update_fields=None, **kwargs):
        self.slug = self.slug or self.slug_of(self.name)
        with transaction.atomic(savepoint=False):
            if self.is_default and (update_fields is None or "is_default" in update_fields):
                self.project.statuses.filter(is_default=True).exclude(pk=self.pk).update(is_default=False)
            super().save(update_fields=update_fields, **kwargs)

    def refuse_deletion(self):
        """Raise Conflict for the default and for one that tasks use."""
        now = Status.objects.filter(pk=self.pk)  # it may have become the default before it was locked
        [(is_default, is_used)] = now.values_list("is_default", models.Exists(self.tasks.all()))
        if is_default:
            raise Conflict("A project needs a default status. Make another one the default first.", "is_default")
        if is_used:
            raise Conflict("Tasks have this status. Give them another one first.", "in_use")

    @property
    def completes(self):
        """Whether a task that has this status is completed by it."""
        return self.category == self.Category.DONE

    def refuse_if_used(self, words):
        if self.tasks.exists():
            raise Conflict(words, "in_use")

    def refuse_another_category(self):
        """Raise Conflict if tasks use it, or do so by the time the write under way is done."""
        words = "Tasks have this status: its category says when they were completed."
        self.refuse_if_used(words)
        # A task that got it meanwhile is seen by then, or waits. This instance may be without an id then: deleted.
        check_again(Status(pk=self.pk).refuse_if_used, words)

    def keep_category(self):
        """Have the write under way, which rests on the category, done again if that is another one in the end."""
        if connection.features.has_select_for_update:  # else there is one writer at a time
            check_again(self.refuse_if_recategorized, self.category)

    def refuse_if_recategorized(self, category):
        """Raise Overtaken if the category is another one by now, or the status gone."""
        if CATEGORY.first(self.pk) != category:
            raise Overtaken


CATEGORY = Prepared(lambda status: Status.objects.filter(pk=status).values_list("category", flat=True))


class Label(TrackedModel):
    project = models.ForeignKey(Project, models.CASCADE, related_name="labels", db_index=False)
    name = models.CharField(max_length=50)
    color = models.CharField(
        max_length=7, default="#6b7280", validators=[RegexValidator(r"\A#[0-9a-fA-F]{6}\Z", "A color such as #1f6feb.")]
    )

    objects = InProjectQuerySet.as_manager()

    class Meta(TrackedModel.Meta):
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="label_name_once")]

    def __str__(self):
        return f"{self.project} {self.name}"

    @classmethod
    def lock_all(cls, ids):
        """Keep these labels from being deleted until the transaction ends; give the ids of those that are there."""
        return list(cls.objects.filter(pk__in=ids).locked().values_list("pk", flat=True))

    def delete(self, *args, **kwargs):
        """Delete the label, taking it off its tasks: each of them changes, and its watchers are told."""
        with transaction.atomic(savepoint=False):
            self.lock()
            self.tasks.take_off("labels", self.pk)
            return super().delete(*args, **kwargs)
