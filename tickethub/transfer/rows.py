"""What every format is read into: tasks and what hangs on them, in words that no project is bound to."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.utils.dateparse import parse_datetime

from tickethub.models import as_uuid

MOMENTS = [  # beyond ISO 8601
    "%d/%b/%y %I:%M %p",
    "%d/%b/%Y %I:%M %p",
    "%d/%b/%y %H:%M",
    "%d/%b/%Y %H:%M",
    "%d/%b/%y",
    "%d/%b/%Y",
    "%Y-%m-%dT%H:%M:%S.%f%z",
]


class Unreadable(ValueError):
    """The file as a whole cannot be read. `code` says why to a program."""

    def __init__(self, detail, code="malformed"):
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Person:
    """Somebody as a file names them: by whatever of these it has."""

    id: str = ""
    email: str = ""
    username: str = ""
    name: str = ""

    def __str__(self):
        return self.username or self.name or self.email or "somebody who is not here"

    @classmethod
    def called(cls, word):
        """The person whom one word names: an address, an id or a handle. None for an empty one."""
        word = text(word).strip()
        if not word:
            return None
        return cls(email=word) if "@" in word else cls(id=word) if as_uuid(word) else cls(username=word)

    @property
    def words(self):
        return [word for word in (self.id, self.email, self.username, self.name) if word]


@dataclass
class CommentRow:
    source_id: str
    body: str
    author: Person | None = None
    created_at: str | None = None
    edited_at: str | None = None


@dataclass
class TaskRow:
    """A task. `source_id` names it where it came from, `names` are what others in the file call it besides."""

    row: int
    source_id: str
    title: str
    description: str = ""
    names: tuple = ()
    number: int | None = None
    status: str = ""
    category: str = ""  # of a status that the project does not have
    priority: str = ""
    assignees: list = field(default_factory=list)
    labels: list = field(default_factory=list)
    parent: str = ""
    due_date: str | None = None
    rank: tuple = ()  # its place on the board
    author: Person | None = None
    url: str = ""
    created_at: str | None = None
    completed_at: str | None = None
    relations: list = field(default_factory=list)  # (type, name of the other, whether it is this one that blocks it)
    comments: list = field(default_factory=list)


@dataclass
class File:
    """What was read. `broken` has what cannot be, `left_out` what is not meant to be: `(row, field, code, detail)`."""

    format: str
    tasks: list
    colors: dict = field(default_factory=dict)  # by label
    labels: list = field(default_factory=list)  # that are to be there, whether or not a task has them
    statuses: list = field(default_factory=list)  # `{slug, name, category, position}`, to be made where they lack
    broken: list = field(default_factory=list)
    left_out: list = field(default_factory=list)

    @property
    def source(self):
        return self.format.partition("-")[0]


# --- What readers share. They are given whatever a file has, and never fail on it. ---


def text(value):
    """A text from a value of JSON: what is no text, is none."""
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""


def mapping(value):
    return value if isinstance(value, dict) else {}


def listing(value):
    """The objects of a list; what else is in it is no object of these formats."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def whole(value):
    """A positive number from a value or its digits, else None."""
    digits = text(value)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) else None


def moment(value):
    """A time from how the formats write it, as UTC where it does not say; None where it is none."""
    value = text(value).strip()
    try:
        found = parse_datetime(value) if value else None
    except ValueError:  # the 31st of February
        return None
    for shape in MOMENTS if value and not found else ():
        try:
            found = datetime.strptime(value, shape)  # noqa: DTZ007 the zone follows
        except ValueError:
            continue
        break
    try:
        return found and (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def day(value):
    """The day of a time, None without one; what is no time stays as it is, to be refused."""
    found = moment(value)
    return found.date().isoformat() if found else value or None
