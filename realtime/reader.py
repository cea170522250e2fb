"""What the sockets read from the database, in a small pool of threads of their own so that requests never wait."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from channels.db import DatabaseSyncToAsync
from django.db.models import OuterRef, Subquery
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.authentication import SessionTokenAuthentication, session_of
from accounts.models import Session, User
from projects.models import Project
from realtime.frames import Batch, Frame, Place
from realtime.models import Event, Stream
from realtime.newest import find_with_newest
from tickethub.errors import Gone

BATCH = 200  # events
BATCH_SIZE = 128 * 1024  # bytes: no batch gets another event beyond it, so that some fit into half a window
FIRST_LOOK = 4  # events: an event has up to some hundred thousand characters
THREADS = 4
threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="log-reader")


def in_thread(function):
    return DatabaseSyncToAsync(function, thread_sensitive=False, executor=threads)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a token stands for, until when (seconds since the epoch), what changes with their password, their login."""

    id: str
    fingerprint: str
    session: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to follow a project after a place, as it stood when `head` was the newest."""

    project_id: str
    start: Place
    head: Place


@in_thread
def events_after(project_id, place):
    """The next Batch of a project after a place, None where there is none yet.

    Raises Gone where the log has not this place, or not what follows it: it was pruned, or is another history.
    """
    log = Event.objects.of(project_id)
    if not log.filter(**place._asdict()).exists():
        raise Gone
    frames, size = [], 0
    for event in in_steps(log.filter(seq__gt=place.seq)):
        if event.seq != (frames[-1].place if frames else place).seq + 1:  # pruned away between two looks
            raise Gone
        frames.append(Frame(event))
        size += len(frames[-1].data)
        if len(frames) == BATCH or size >= BATCH_SIZE:
            return Batch(place, frames)
    return Batch(place, frames, is_last=True) if frames else None


def in_steps(events):
    """Yield events, few of them read at first and then more: a log of large ones does not fill the memory."""
    step = FIRST_LOOK
    while more := list(events[:step]):
        yield from more
        if len(more) < step:
            return
        events = events.filter(seq__gt=more[-1].seq)
        step = min(4 * step, BATCH)


@in_thread
def heads(project_ids):
    """`{project id: the place of its newest event}`."""
    newest = Event.objects.filter(project_id=OuterRef("pk"), seq=OuterRef("head"))
    streams = Stream.objects.filter(pk__in=project_ids).values_list("pk", "head", Subquery(newest.values("nonce")))
    return {str(pk): Place(head, nonce) for pk, head, nonce in streams}


@in_thread
def authenticate(token):
    """The person of an access token. Raises SimpleJWT's InvalidToken or AuthenticationFailed."""
    validated = SessionTokenAuthentication().get_validated_token(token)
    session = session_of(validated)
    fingerprint = get_md5_hash_password(session.user.password)
    return Person(str(session.user_id), fingerprint, str(session.pk), validated["exp"])


@in_thread
def valid(people):
    """Those of these people who may stay: neither deactivated, nor with a new password, nor logged out."""
    sessions = Session.objects.open().filter(pk__in={person.session for person in people}, user__is_active=True)
    now = {str(pk): get_md5_hash_password(password) for pk, password in sessions.values_list("pk", "user__password")}
    return {person for person in people if now.get(person.session) == person.fingerprint}


@in_thread
def grant(user_id, name, cursor):
    """The right of a user to follow the project of this id or key; None for what they may not see.

    Raises ValueError for what is no cursor, Gone where the log does not reach back to it. The head and the membership
    are of one moment: a removal that the membership does not show yet is sure to come after that head.
    """
    project = find_with_newest(name, User(pk=user_id))
    if project is None or project.newest_nonce is None:  # or it has no log, as one that was made past the application
        return None
    head = Place(project.newest_seq, project.newest_nonce)
    try:
        start = Event.objects.at_cursor(project.pk, cursor) if cursor else head
    except Gone as gone:
        gone.project_id = str(project.pk)
        raise
    return Grant(str(project.pk), Place(start.seq, start.nonce), head)


@in_thread
def project_id(name):
    """The id of the project of this id or key, None if there is none."""
    pk = Project.objects.named(name).values_list("pk", flat=True).first()
    return pk and str(pk)
