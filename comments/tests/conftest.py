"""What the tests of comments share: the people and projects of the tasks' tests, and a comment."""

import pytest

from comments.tests.factories import CommentFactory
from tasks.tests.conftest import *  # noqa: F403 its fixtures, which pytest finds by their names


@pytest.fixture
def comment(task, member):
    return CommentFactory(task=task, author=member, body="Well said.")


@pytest.fixture
def foreign_comment(foreign_task, outsider):
    return CommentFactory(task=foreign_task, author=outsider, body="a secret word")


@pytest.fixture
def told(api, log, project, member):
    """Make a request as the member and give its one event, which has to be sound."""

    def told(method, path, body=None, request_id="a-request"):
        log()
        answer = getattr(api, method)(path, body, headers={"X-Request-ID": request_id})
        assert answer.status_code < 300, answer.content
        [event] = log()
        assert (event["project"], event["actor"]) == (str(project.pk), str(member.pk))
        assert event["request_id"] == answer["X-Request-ID"] == request_id
        return event

    return told
