"""The admin's own pages: what goes on, and what happened to an object."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.utils import timezone

from accounts import attempts
from accounts.models import User
from projects.models import Label, Project, Status
from realtime.models import Event
from realtime.things import THINGS
from tasks.models import Task
from tickethub.middleware import current_request
from tickethub.models import as_uuid

AGES = [("a week", 7), ("a month", 30), ("a quarter", 91), ("a year", 365)]  # a task is as old, in days, at most
CLOSED = [Status.Category.DONE, Status.Category.CANCELLED]
NEWEST = 1000  # changes, of which the busiest projects have most
MOST = 100  # changes that a history shows


class PasswordChangeForm(AdminPasswordChangeForm):
    """Django's, where a wrong password counts for the account, as it does for whoever logs in."""

    def clean_old_password(self):
        compare = partial(self.user.check_password, self.cleaned_data["old_password"])
        if not attempts.counted(self.user.email, current_request.get(), compare):
            raise ValidationError(self.error_messages["password_incorrect"], "password_incorrect")
        return self.cleaned_data["old_password"]


class Site(admin.AdminSite):
    password_change_form = PasswordChangeForm
    site_header = site_title = "TicketHub"
    site_url = "/"
    index_template = "tickethub/admin/index.html"

    def index(self, request, extra_context=None):
        goes_on = {}
        if request.user.has_perm("tasks.view_task"):
            goes_on |= {"ages": [*(f"up to {name}" for name, _ in AGES), "older"], "open_tasks": open_tasks()}
        if request.user.has_perm("realtime.view_event"):
            goes_on |= {"newest": NEWEST, "busiest": busiest_projects(10)}
        return super().index(request, goes_on | (extra_context or {}))

    def changes_of(self, obj):
        """The newest events of an object, told in names, as `Told`; None for what the log does not tell of.

        Of a task and of a project also those of what is in it.
        """
        thing = THINGS.get(type(obj))
        if thing is None:
            return None
        if isinstance(obj, Project):
            events = Event.objects.filter(project_id=obj.pk).order_by("-seq")
        elif isinstance(obj, Task):
            events = Event.objects.about_task(obj.pk).order_by("-pk")
        else:
            events = Event.objects.filter(task_id=thing.about(obj).get("task_id"), object_id=obj.pk).order_by("-pk")
        return in_names(list(events[:MOST]))


@dataclass(frozen=True)
class Told:
    """An event with who did it, and `(field, before, after)` of each change, in words."""

    event: Event
    actor: str
    changes: list


def in_names(events):
    """Tell events in names: those of people and labels for their ids."""
    changes = [value for event in events for pair in event.changes.values() for value in pair]
    ids = {
        one
        for value in changes
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, str) and as_uuid(one)
    }
    names = {None: "nobody"}
    names |= {str(pk): f"@{name}" for pk, name in named(User, "username", ids | {e.actor_id for e in events})}
    names |= {str(pk): name for pk, name in named(Label, "name", ids)}

    def words(value):
        if isinstance(value, list):
            return ", ".join(map(words, value)) or "nothing"
        return "nothing" if value in (None, "") else str(names.get(value, value) if isinstance(value, str) else value)

    return [
        Told(
            event,
            names.get(event.actor_id and str(event.actor_id), "somebody who is gone"),
            [(field, words(before), words(after)) for field, (before, after) in event.changes.items()],
        )
        for event in events
    ]


def named(model, field, ids):
    return model.objects.filter(pk__in=ids - {None}).values_list("pk", field) if ids - {None} else []


def open_tasks():
    """How many tasks are open, by category of their status and by age: `[(category, [counts], total)]`."""
    now, bounds, counts = timezone.now(), [timedelta(days) for _, days in AGES], {}
    for place, (younger, older) in enumerate(zip([None, *bounds], [*bounds, None], strict=True)):
        within = Q(created_at__gt=now - older) if older else Q()
        counts[f"age_{place}"] = Count("pk", filter=within & Q(created_at__lte=now - younger) if younger else within)
    rows = (
        Task.objects.exclude(status__category__in=CLOSED).order_by("status__category").values_list("status__category")
    )
    found = {category: ages for category, *ages in rows.annotate(**counts)}
    return [
        (category.label, found[category], sum(found[category])) for category in Status.Category if category in found
    ]


def busiest_projects(most):
    """The projects of most of the newest changes: `[(project, how many)]`."""
    counts = Counter(Event.objects.order_by("-pk").values_list("project_id", flat=True)[:NEWEST])
    projects = Project.objects.in_bulk(counts)
    return [(projects[pk], count) for pk, count in counts.most_common() if pk in projects][:most]
