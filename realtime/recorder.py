"""Writing the log: one event per object and request, in the transaction of the change."""

from dataclasses import dataclass, field

from django.db import connection, transaction

from projects.models import Project
from realtime import bell
from realtime.models import Event, Stream
from realtime.things import THINGS
from tickethub.middleware import current_request

# What follows from other fields, or merely counts changes: the object has it, `changes` does not list it.
DERIVED = {"version", "updated_at", "completed_at", "edited_at"}


@dataclass
class Change:
    """One object in one transaction and request: what it was before, and the event that tells what it became."""

    before: dict | None = None
    event: Event | None = None
    savepoints: list | None = None  # that were open when the event was last written

    def look_again(self):
        """Bring the event to what it is now: a savepoint that was rolled back took it along, or what was told last."""
        if self.event and self.savepoints != open_savepoints():
            self.event = Event.objects.filter(pk=self.event.pk).first()

    def note(self, event):
        self.event, self.savepoints = event, open_savepoints()


def open_savepoints():
    return [name for name in connection.savepoint_ids if name]


@dataclass
class Ledger:
    """What a transaction has told so far. As an on-commit hook of its connection it lives and dies with it."""

    changes: dict = field(default_factory=dict)
    projects: set = field(default_factory=set)

    @classmethod
    def current(cls):
        """The ledger of the transaction under way. Raises RuntimeError outside of one."""
        if not connection.in_atomic_block:
            raise RuntimeError(
                "A tracked row is written outside a transaction: the log would not be sure to follow it."
            )
        for _, hook, *_ in connection.run_on_commit:
            if isinstance(hook, cls):
                return hook
        ledger = cls()
        transaction.on_commit(ledger, robust=True)
        return ledger

    def __call__(self):
        if self.projects:
            bell.ring(projects=self.projects)

    def change_of(self, model, pk):
        request = current_request.get()
        return self.changes.setdefault((model, pk, request and request.id), Change())

    def has_told_the_end_of(self, project_id):
        """Whether the deletion of a project is written, and was not rolled back since."""
        change = self.change_of(Project, project_id)
        if change.event and change.event.type == "project.deleted":
            change.look_again()
        return bool(change.event and change.event.type == "project.deleted")


def note_before(model, pk):
    """Note what a row is before it changes, locked so that it is this transaction that changes it next."""
    change = Ledger.current().change_of(model, pk)
    change.look_again()
    if change.event is None:
        list(model.objects.filter(pk=pk).locked().values_list("pk"))
        change.before = THINGS[model].show(pk)


def tell(row, verb):
    """Write the event of a row that was just created, updated or deleted, or add to the one this request wrote."""
    model, thing = type(row), THINGS[type(row)]
    ledger = Ledger.current()
    if ledger.has_told_the_end_of(thing.project_id(row)):  # which stands for all in it
        return
    change = ledger.change_of(model, row.pk)
    change.look_again()
    now = None if verb == "deleted" else thing.show(row.pk)
    if now is None and verb != "deleted":  # what it refers to was removed a moment ago
        connection.check_constraints()  # which says so now, rather than at the commit
    if verb == "updated" and now == (change.event.object if change.event else change.before):
        return
    if change.event and verb == "updated":
        amend(change, now)
    else:
        ledger.projects.add(thing.project_id(row))
        change.before = None if verb == "created" else change.before
        change.note(write(thing, row, verb, difference(change.before, now) if verb == "updated" else {}, now))


def amend(change, now):
    """Bring the event that this request wrote of the object up to date."""
    change.event.object = now
    if change.before is not None:
        change.event.changes = difference(change.before, now)
    change.event.save(update_fields=["object", "changes"])
    change.note(change.event)


def write(thing, row, verb, changes, now):
    request = current_request.get()
    about = thing.about(row)
    return Event.objects.create(
        seq=Stream.take_number(about["project_id"]),
        type=f"{thing.name}.{verb}",
        object_id=row.pk,
        actor_id=request and actor_of(request),
        request_id=request and request.id,
        changes=changes,
        object=now,
        **about,
    )


def actor_of(request):
    """Who makes the request: Django REST framework leaves whom it authenticated on Django's request as well."""
    user = getattr(request, "user", None)
    return user.pk if user else None


def difference(before, now):
    """`{field: [before, now]}` of what differs."""
    return {
        name: [before[name], now[name]] for name in now if name not in DERIVED and before and before[name] != now[name]
    }
