"""A project with where its log stands, as one statement tells it."""

from django.db.models import OuterRef, Subquery

from accounts.models import User
from projects.models import Project
from realtime.models import Event, Stream
from tickethub.prepared import Prepared


def find_with_newest(name, user):
    """The project of this id or key with the number and the nonce of its newest event; None if `user` sees none.

    All of one moment: somebody who is removed right after it is not told of what comes after their removal.
    """
    return VISIBLE.first(name, user.pk) or with_newest(Project.objects.visible_to(user).named(name)).first()


def with_newest(projects):
    heads = Stream.objects.filter(pk=OuterRef("pk")).values("head")
    nonces = Event.objects.filter(project_id=OuterRef("pk"), seq=OuterRef("newest_seq")).values("nonce")
    return projects.annotate(newest_seq=Subquery(heads)).annotate(newest_nonce=Subquery(nonces))


VISIBLE = Prepared(lambda pk, user: with_newest(Project.objects.visible_to(User(pk=user)).filter(pk=pk)))
