"""What the log tells of comments."""

import pytest
from django.contrib.auth.models import AnonymousUser

from comments.models import Comment
from comments.tests.factories import CommentFactory
from tasks.tests.factories import TaskFactory

COMMENTS = "/api/v1/comments/"


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


def test_a_new_comment_is_one_event(told, api, task):
    event = told("post", COMMENTS, {"task": str(task.pk), "body": " As it came \n"})
    assert (event["type"], event["changes"]) == ("comment.created", {})
    assert event["object"] == api.get(f"{COMMENTS}{event['id']}/").json()


def test_an_edit_is_one_event_with_what_it_was(told, api, comment):
    event = told("patch", f"{COMMENTS}{comment.pk}/", {"body": "Better said."})
    assert (event["type"], event["id"]) == ("comment.updated", str(comment.pk))
    assert event["changes"] == {"body": ["Well said.", "Better said."]}
    assert event["object"] == api.get(f"{COMMENTS}{comment.pk}/").json()


def test_a_deletion_is_one_event_without_the_object(told, comment):
    event = told("delete", f"{COMMENTS}{comment.pk}/")
    assert (event["type"], event["id"], event["object"]) == ("comment.deleted", str(comment.pk), None)


def test_an_edit_that_changes_nothing_is_not_told(api, log, comment):
    log()
    assert api.patch(f"{COMMENTS}{comment.pk}/", {"body": comment.body}).status_code == 200
    assert log() == []


def test_comments_go_silently_with_their_task(told, task, comment):
    CommentFactory(task=task)
    event = told("delete", f"/api/v1/tasks/{task.pk}/")
    assert (event["type"], event["id"]) == ("task.deleted", str(task.pk))


def test_comments_are_part_of_the_history_of_their_task_alone(api, project, task, comment):
    CommentFactory(task=TaskFactory(project=project))
    answer = api.get("/api/v1/events/", {"project": project.key, "task": task.key})
    assert [(event["type"], event["id"]) for event in answer.json()["results"]] == [
        ("task.created", str(task.pk)),
        ("comment.created", str(comment.pk)),
    ]


@pytest.mark.django_db(transaction=True)
def test_requests_that_share_a_request_id_are_told_of_one_by_one(told, api, comment):
    """A client may send the same X-Request-ID with all that belongs together."""
    events = [told("patch", f"{COMMENTS}{comment.pk}/", {"body": body}, "same") for body in ("One", "Two")]
    assert [event["changes"]["body"][1] for event in events] == ["One", "Two"]
    assert events[0]["seq"] + 1 == events[1]["seq"]


def test_an_anonymous_user_sees_no_comments(comment):
    assert Comment.objects.exists()
    assert not Comment.objects.visible_to(AnonymousUser()).exists()


def test_a_comment_names_itself(comment):
    assert str(comment) == "@member on PROJ-1 Lay the table"
    assert comment.project == comment.task.project
