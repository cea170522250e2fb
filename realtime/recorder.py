"""Writing the log: one event per object and request, in the transaction of the change."""

from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from django.db import connection, transaction

from projects.models import Project
from realtime import bell
from realtime.models import Event, Stream
from realtime.things import THINGS
from tickethub.middleware import current_request

# What follows from other fields, or merely counts changes: the object has it, `changes` does not list it.
DERIVED = {"version", "updated_at", "completed_at", "edited_at"}
# What a row belongs to: the log of what it left would not tell that, and who was a member would go on hearing. And what
# names it in others, which would change without an event.
FIXED = {"project", "user", "task", "source", "target", "key", "slug"}


@dataclass
class Change:
    """One object in one transaction and request: what it was before, and the event that tells what it became."""

    before: dict | None = None
    event: Event | None = None
    hooks: list | None = None  # of the connection, when the event was last written or looked at

    def look_again(self):
        """Bring the event to what it is now: a savepoint that was rolled back took it along, or what was told last.

        Whichever way a savepoint is rolled back, Django leaves the list of hooks as it is and makes another one.
        """
        if self.event and self.hooks is not connection.run_on_commit:
            self.event, self.hooks = Event.objects.filter(pk=self.event.pk).first(), connection.run_on_commit

    @property
    def is_the_end(self):
        return bool(self.event and self.event.type.endswith(".deleted"))

    def note(self, event):
        self.event, self.hooks = event, connection.run_on_commit


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

    def has_told_the_end_of(self, model, pk):
        """Whether the deletion of a row is written, and was not rolled back since."""
        change = self.change_of(model, pk)
        if change.is_the_end:
            change.look_again()
        return change.is_the_end


def note_before(model, pk):
    """Note what a row is before it changes, locked so that it is this transaction that changes it next."""
    change = Ledger.current().change_of(model, pk)
    change.look_again()
    if change.event is None:
        list(model.objects.filter(pk=pk).locked().values_list("pk"))
        change.before = THINGS[model].show(pk)


def tell(row, verb):
    """Write the event of a row that was just created, updated or deleted, or add to the one this request wrote."""
    thing, ledger = THINGS[type(row)], Ledger.current()
    if ledger.has_told_the_end_of(Project, thing.paths["project_id"](row)):  # which stands for all in it
        return
    if verb != "created" and ledger.has_told_the_end_of(type(row), row.pk):  # on the way to which it lost its parent
        return
    now = None if verb == "deleted" else thing.show(row.pk)
    if now is None and verb != "deleted":  # what it refers to was removed a moment ago
        connection.check_constraints()  # which says so now, rather than at the commit
    record([(row, verb, now)])


def tell_changes(model, changes):
    """Write the events of rows that one statement updated: `changes` has each as it was, once locked, and as it is."""
    thing, ledger = THINGS[model], Ledger.current()
    for before, _ in changes:
        change = ledger.change_of(model, before.pk)
        change.look_again()
        if change.event is None:
            change.before = thing.picture(before)
    record([(after, "updated", thing.picture(after)) for _, after in changes])


def tell_creations(model, rows):
    """Write the events of new rows that were written together."""
    thing = THINGS[model]
    record([(row, "created", thing.picture(row)) for row in rows])


def tell_deletions(rows):
    """Write the events of rows that are about to be deleted together."""
    record([(row, "deleted", None) for row in rows])


def record(told):
    """Write the events of rows, each with what was done to it and what is shown of it now, or amend those there are."""
    ledger, events = Ledger.current(), []
    for row, verb, now in told:
        thing = THINGS[type(row)]
        change = ledger.change_of(type(row), row.pk)
        change.look_again()
        was = change.event.object if change.event else change.before
        if verb == "updated" and now == was:
            continue
        if verb == "updated":
            refuse_what_is_fixed(thing, was, now)
        if change.event and verb == "updated":
            amend(change, now)
        else:
            change.before = None if verb == "created" else change.before
            change.note(event_of(thing, row, verb, difference(change.before, now) if verb == "updated" else {}, now))
            events.append(change.event)
    ledger.projects.update(event.project_id for event in events)
    write(events)


def refuse_what_is_fixed(thing, was, now):
    """Raise ValueError where a row would belong to something else, or go by another name: it is to be made anew."""
    for name in FIXED & now.keys() if was else ():
        before, after = ((one["id"] if name == "user" else one) for one in (was[name], now[name]))
        if before != after:
            raise ValueError(f"The {name} of a {thing.name} is fixed once made: delete it, and make another one.")


def amend(change, now):
    """Bring the event that this request wrote of the object up to date."""
    change.event.object = now
    if change.before is not None:
        change.event.changes = difference(change.before, now)
    change.event.save(update_fields=["object", "changes"])
    change.note(change.event)


def event_of(thing, row, verb, changes, now):
    """The event that tells of a row, without its number yet."""
    request = current_request.get()
    return Event(
        type=f"{thing.name}.{verb}",
        object_id=row.pk,
        actor_id=request and actor_of(request),
        request_id=request and request.id,
        changes=changes,
        object=now,
        **thing.about(row),
    )


def write(events):
    """Number the events and write them, project by project: their streams are always locked in one order."""
    events = sorted(events, key=attrgetter("project_id"))
    for project_id, group in groupby(events, key=attrgetter("project_id")):
        of_project = list(group)
        last = Stream.take_number(project_id, len(of_project))
        for seq, event in enumerate(of_project, last - len(of_project) + 1):
            event.seq = seq
    Event.objects.bulk_create(events)


def actor_of(request):
    """Who makes the request: Django REST framework leaves whom it authenticated on Django's request as well."""
    user = getattr(request, "user", None)
    return user.pk if user else None


def difference(before, now):
    """`{field: [before, now]}` of what differs."""
    return {
        name: [before[name], now[name]] for name in now if name not in DERIVED and before and before[name] != now[name]
    }
