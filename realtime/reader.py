"""What the sockets read from the database, in a small pool of threads of their own so that requests never wait."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from channels.db import DatabaseSyncToAsync
from rest_framework.utils import json
from rest_framework.utils.encoders import JSONEncoder
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.models import User
from projects.models import Project
from realtime.models import Event, Stream
from realtime.serializers import EventSerializer
from tickethub.errors import Gone

BATCH = 200
THREADS = 4
threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="log-reader")


def in_thread(function):
    return DatabaseSyncToAsync(function, thread_sensitive=False, executor=threads)


@dataclass(frozen=True, slots=True)
class Frame:
    """An event, encoded once for all who get it."""

    seq: int
    type: str
    user_id: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a token stands for, until when (seconds since the epoch), and what changes with their password."""

    id: str
    fingerprint: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to follow a project from an event on, as it stood when `head` was the newest."""

    project_id: str
    seq: int
    cursor: str
    head: int


def encode(event):
    """The frame of an event. A frame has a `type` of its own, so the event's goes by the name of `event`."""
    shown = EventSerializer(event).data
    kind = shown.pop("type")
    text = json.dumps(
        {"type": "event", "event": kind, **shown}, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":")
    )
    return Frame(event.seq, kind, event.user_id and str(event.user_id), text)


@in_thread
def events_after(project_id, seq):
    """The next frames of a project, at most BATCH."""
    return [encode(event) for event in Event.objects.of(project_id).filter(seq__gt=seq)[:BATCH]]


@in_thread
def heads(project_ids):
    """`{project id: the number of its newest event}`."""
    return {str(pk): head for pk, head in Stream.objects.filter(pk__in=project_ids).values_list("pk", "head")}


@in_thread
def authenticate(token):
    """The person of an access token. Raises SimpleJWT's InvalidToken or AuthenticationFailed."""
    authentication = JWTAuthentication()
    validated = authentication.get_validated_token(token)
    user = authentication.get_user(validated)
    return Person(str(user.pk), get_md5_hash_password(user.password), validated["exp"])


@in_thread
def fingerprints(user_ids):
    """`{user id: fingerprint}` of those of these users who may log in."""
    users = User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", "password")
    return {str(pk): get_md5_hash_password(password) for pk, password in users}


@in_thread
def grant(user_id, name, cursor):
    """The right of a user to follow the project of this id or key; None for what they may not see.

    Raises ValueError for what is no cursor, Gone where the log does not reach back to it. The head is read before the
    membership: a removal that the membership does not show yet is then sure to come after that head.
    """
    project = Project.objects.named(name).first()
    newest = project and Event.objects.newest(project.pk)
    if newest is None or not project.memberships.filter(user=user_id).exists():
        return None
    try:
        start = Event.objects.at_cursor(project.pk, cursor) if cursor else newest
    except Gone as gone:
        gone.project_id = str(project.pk)
        raise
    return Grant(str(project.pk), start.seq, start.cursor, newest.seq)


@in_thread
def project_id(name):
    """The id of the project of this id or key, None if there is none."""
    pk = Project.objects.named(name).values_list("pk", flat=True).first()
    return pk and str(pk)
