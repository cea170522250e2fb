"""What makes the log: every save, delete and change of a relation of a tracked model. Nothing else lives here."""

from django.db import connection, transaction
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save
from django.dispatch import receiver

from accounts.models import Session, User
from projects.models import Membership, Project
from realtime import bell
from realtime.recorder import note_before, tell, tell_changes, tell_creations, tell_deletions
from realtime.things import THINGS
from tasks.models import Task
from tickethub.models import rows_changed, rows_going, rows_made


def on_tracked(signal):
    """Connect a receiver to a signal of every tracked model."""

    def connect(function):
        for model in THINGS:
            signal.connect(function, sender=model, dispatch_uid=f"log {function.__name__} {model.__name__}")
        return function

    return connect


@on_tracked(pre_save)
def before_save(sender, instance, raw, **kwargs):
    if not raw and not instance._state.adding:  # raw: a fixture, which brings its own log
        note_before(sender, instance.pk)


@on_tracked(post_save)
def after_save(sender, instance, created, raw, **kwargs):
    if not raw:
        tell(instance, "created" if created else "updated")


@on_tracked(rows_changed)
def after_change(sender, changes, **kwargs):
    tell_changes(sender, changes)


@on_tracked(rows_made)
def after_making_many(sender, rows, **kwargs):
    tell_creations(sender, rows)


@on_tracked(rows_going)
def before_deletion_of_many(sender, rows, **kwargs):
    tell_deletions(rows)


@on_tracked(pre_delete)
def before_delete(sender, instance, origin, **kwargs):
    """Tell of a deletion; not of what goes with a task or a project, whose own deletion stands for all of it.

    Before, not after: the stream is locked until the end of the transaction, and whoever holds it while committing a
    row that refers to this one would wait for this deletion, which would wait for the stream.
    """
    swept_along = isinstance(origin, Task | Project) and type(origin) is not sender
    if not swept_along:
        tell(instance, "deleted")


@receiver(m2m_changed, sender=Task.assignees.through)
@receiver(m2m_changed, sender=Task.labels.through)
def on_relation(sender, instance, action, reverse, pk_set, raw, **kwargs):
    """Tell of tasks whose assignees or labels change. A clear from the far side was taken apart by the model."""
    stage, _, verb = action.partition("_")
    if raw or (reverse and verb == "clear"):
        return
    tasks = Task.objects.filter(pk__in=pk_set) if reverse else [instance]
    for task in tasks:
        if stage == "pre":
            note_before(Task, task.pk)
        else:
            tell(task, "updated")


SHOWN_OF_USER = {"username", "email", "first_name", "last_name", "date_joined"}


@receiver(pre_save, sender=User)
def before_user(sender, instance, raw, update_fields, **kwargs):
    """A person is shown in their memberships, so those change with them: locked, since a new one waits for that."""
    if is_shown(instance, raw, update_fields):
        if connection.features.has_select_for_update:
            list(User.objects.filter(pk=instance.pk).locked())
        for membership in memberships_of(instance).order_by("pk"):  # as all lock them; the logs go by project
            note_before(Membership, membership.pk)


@receiver(post_save, sender=User)
def after_user(sender, instance, raw, update_fields, **kwargs):
    if is_shown(instance, raw, update_fields):
        for membership in memberships_of(instance):
            tell(membership, "updated")
    if not update_fields or {"is_active", "password"} & set(update_fields):
        transaction.on_commit(lambda: bell.ring(users=[instance.pk]), robust=True)


@receiver(post_save, sender=Session)
def after_session(sender, instance, **kwargs):
    if instance.ended_at:
        transaction.on_commit(lambda: bell.ring(users=[instance.user_id]), robust=True)


def is_shown(user, raw, update_fields):
    return not (raw or user._state.adding or (update_fields and not SHOWN_OF_USER & set(update_fields)))


def memberships_of(user):
    return Membership.objects.filter(user=user.pk).order_by("project")
