"""What words of other trackers mean in a project: statuses, priorities, people."""

from django.utils.text import slugify

from projects.models import Status
from tasks.models import Task

CATEGORIES = {
    "backlog": "backlog, icebox, ideas, later, someday, triage, inbox",
    "todo": "todo, to do, to-do, open, opened, new, next, ready, planned, reopened, selected for development",
    "in_progress": "in progress, doing, started, active, wip, in development, in review, review, in test, testing, qa,"
    " blocked, on hold, waiting",
    "done": "done, closed, complete, completed, resolved, fixed, finished, shipped, released, merged, deployed",
    "cancelled": "cancelled, canceled, not planned, not_planned, won't do, wont do, won't fix, wont fix, wontfix,"
    " duplicate, rejected, declined, abandoned, invalid, obsolete, cannot reproduce",
}
CATEGORY_OF = {word.strip(): category for category, words in CATEGORIES.items() for word in words.split(",")}
PRIORITIES = {
    Task.Priority.NONE: " ,none,no priority,unset,undefined,not set",
    Task.Priority.LOW: "low,lowest,minor,trivial,p3,p4",
    Task.Priority.MEDIUM: "medium,normal,moderate,p2",
    Task.Priority.HIGH: "high,major,important,p1",
    Task.Priority.URGENT: "urgent,highest,critical,blocker,p0",
}
PRIORITY_OF = {word.strip(): priority for priority, words in PRIORITIES.items() for word in words.split(",")}


class UnknownMeaning(ValueError):
    """A word was said to mean what is not in the project. `field` is `statuses` or `people`."""

    def __init__(self, field, meaning):
        super().__init__(f"The project has no {meaning!r}.")
        self.field = field


def meanings(field, given, known):
    """`{word: meaning}` by words in small letters, each meaning looked up. Raises UnknownMeaning."""
    for meaning in dict(given).values():
        if meaning not in known:
            raise UnknownMeaning(field, meaning)
    return {word.strip().casefold(): known[meaning] for word, meaning in dict(given).items()}


class Statuses:
    """The statuses of a project. `given` says for words which slug they mean. Raises UnknownMeaning."""

    def __init__(self, project, given):
        self.all = list(project.statuses.order_by("position", "pk"))
        self.default = next(status for status in self.all if status.is_default)
        self.by_word = {}
        for status in self.all:
            self.by_word.setdefault(status.name.casefold(), status)
        self.by_slug = {status.slug: status for status in self.all}
        self.by_word |= {slug.casefold(): status for slug, status in self.by_slug.items()}
        self.given = meanings("statuses", given, self.by_slug)

    def find(self, word, category=""):
        """The status that a word means, None where nothing says so."""
        exact, word = word.strip(), word.strip().casefold()
        if not word:
            return self.default if not category else self.of(category)
        return (
            self.given.get(word)
            or self.by_slug.get(exact)
            or self.by_word.get(word)
            or self.by_word.get(slugify(word))
            or self.of(CATEGORY_OF.get(word))
            or self.of(category)
        )

    def of(self, category):
        """The first status of a category, the default before others."""
        return min(
            (status for status in self.all if status.category == category),
            key=lambda status: not status.is_default,
            default=None,
        )

    def make(self, project, wanted):
        """Make the statuses that lack here and mean no other: `{slug, name, category, position}`, checked. Gives how
        many.
        """
        missing = {
            each["slug"]: each
            for each in wanted
            if each["slug"] not in self.by_slug and each["slug"].casefold() not in self.given
        }
        for each in missing.values():
            status = Status(project=project, **each)
            status.save()
            self.all.append(status)
            self.by_slug[status.slug] = self.by_word[status.slug.casefold()] = status
        return len(missing)


class People:
    """The members of a project. `given` says for words of the file whom they mean. Raises UnknownMeaning."""

    def __init__(self, memberships, given):
        users = [membership.user for membership in memberships]
        self.by_word, names = {}, {}
        for user in users:
            names.setdefault(f"{user.first_name} {user.last_name}".strip().casefold(), []).append(user)
        self.by_word |= {name: found[0] for name, found in names.items() if name and len(found) == 1}
        for user in users:
            self.by_word |= {str(user.pk): user, user.email.casefold(): user, user.username.casefold(): user}
        known = {word: user for user in users for word in (user.email, user.username)}
        self.by_word |= meanings("people", given, known)

    def find(self, person):
        """The member whom a file means, None for somebody else."""
        found = (self.by_word.get(word.casefold()) for word in person.words) if person else ()
        return next(filter(None, found), None)
