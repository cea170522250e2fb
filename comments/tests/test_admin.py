import pytest
from django.utils import timezone

from accounts.tests.factories import UserFactory
from accounts.tests.test_admin import Desk, told, written
from comments.models import Comment
from comments.tests.factories import CommentFactory
from projects.models import Project
from projects.tests.test_admin import ARCHIVED
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk():
    return Desk()


def test_comment_is_made_in_the_name_of_the_one_who_asks(desk):
    task = TaskFactory()
    response = desk.save(Comment, "add", task=task.pk, body="One\r\nTwo", author=UserFactory().pk)
    comment = Comment.objects.get()
    assert (comment.task, comment.author, comment.body, comment.edited_at) == (task, desk.user, "One\nTwo", None)
    assert written(desk, response) == [("comment.created", comment.pk, {})]


def test_comment_is_edited_and_says_so(desk):
    comment = CommentFactory(body="Yes")
    author = comment.author
    response = desk.save(comment, body="No", task=TaskFactory().pk)
    assert written(desk, response) == [("comment.updated", comment.pk, {"body": ["Yes", "No"]})]
    after = Comment.objects.get()
    assert (after.body, after.author, after.task) == ("No", author, comment.task)
    assert after.edited_at


def test_comment_saved_as_it_was_opened_is_not_edited(desk):
    comment = CommentFactory(body="One\n\nTwo\n")
    assert written(desk, desk.save(comment)) == []
    assert Comment.objects.get().edited_at is None


def test_comments_are_deleted_from_their_list_and_from_the_page_of_their_task(desk):
    task = TaskFactory()
    comments = CommentFactory.create_batch(3, task=task)
    deleted = [("comment.deleted", comment.pk, {}) for comment in comments]
    assert written(desk, desk.delete(*comments[:2])) == deleted[:2]
    response = desk.save(task, **{"comments-0-DELETE": "on"})
    assert written(desk, response) == deleted[2:]


def test_comment_is_not_edited_in_passing_on_the_page_of_its_task(desk):
    comment = CommentFactory(body="Yes")
    assert written(desk, desk.save(comment.task, **{"comments-0-body": "No"})) == []
    assert "Yes" in desk.open(comment.task).content.decode()


def test_nothing_in_an_archived_project_changes(desk):
    comment = CommentFactory()
    Project.objects.update(archived_at=timezone.now())
    for response in (
        desk.save(Comment, "add", task=comment.task.pk, body="More"),
        desk.save(comment, body="Else"),
        desk.delete(comment),
        desk.delete(comment, CommentFactory()),
        desk.save(comment.task, **{"comments-0-DELETE": "on"}),
    ):
        assert told(response)[-1:] == ARCHIVED
        assert written(desk, response) == []
