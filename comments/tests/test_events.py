"""What the log tells of comments."""

from django.contrib.auth.models import AnonymousUser

from comments.models import Comment
from comments.tests.factories import CommentFactory
from tasks.tests.factories import TaskFactory

COMMENTS = "/api/v1/comments/"


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


def test_an_anonymous_user_sees_no_comments(comment):
    assert Comment.objects.exists()
    assert not Comment.objects.visible_to(AnonymousUser()).exists()


def test_a_comment_names_itself(comment):
    assert str(comment) == "@member on PROJ-1 Lay the table"
    assert comment.project == comment.task.project
