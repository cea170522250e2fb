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
