"""Making, editing and deleting comments."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from comments.models import Comment
from comments.tests.factories import CommentFactory
from projects.tests.factories import ProjectFactory
from tasks.models import LONGEST_TEXT
from tasks.tests.factories import TaskFactory

COMMENTS = "/api/v1/comments/"
NOBODYS = "0192f0c0-0000-7000-8000-00000000dead"
FIELDS = {"id", "task", "author", "body", "edited_at", "created_at", "updated_at"}


def url(comment):
    return f"{COMMENTS}{comment.pk}/"


class TestCreate:
    def test_a_comment_is_of_its_task_and_by_the_caller(self, api, task, member):
        answer = api.post(COMMENTS, {"task": str(task.pk), "body": "Well said."})
        assert answer.status_code == 201
        comment = answer.json()
        assert set(comment) == FIELDS
        assert (comment["task"], comment["author"], comment["body"]) == (str(task.pk), str(member.pk), "Well said.")
        assert comment["edited_at"] is None
        assert abs(datetime.fromisoformat(comment["created_at"]) - timezone.now()) < timedelta(minutes=1)
        assert comment["created_at"].endswith("Z")
        assert api.get(f"{COMMENTS}{comment['id']}/").json() == comment

    @pytest.mark.parametrize(
        "body",
        ["  a ", "\n# Head\r\n\r\n", "日本語 🎟️ \u202eשלום", "x" * LONGEST_TEXT],
        ids=["blanks", "lines", "scripts", "long"],
    )
    def test_its_body_is_returned_byte_for_byte(self, api, task, body):
        answer = api.post(COMMENTS, {"task": str(task.pk), "body": body})
        assert (answer.status_code, answer.json()["body"]) == (201, body)
        assert api.get(f"{COMMENTS}{answer.json()['id']}/").json()["body"] == body

    def test_the_author_is_the_caller_whatever_the_body_says(self, api, task, member, owner):
        sent = {"author": str(owner.pk), "edited_at": "2020-01-01T00:00Z", "id": NOBODYS}
        comment = api.post(COMMENTS, {"task": str(task.pk), "body": "Mine", **sent}).json()
        assert (comment["author"], comment["edited_at"]) == (str(member.pk), None)
        assert comment["id"] != NOBODYS

    @pytest.mark.parametrize(
        ("who", "status_code"), [("viewer", 403), ("member", 201), ("admin", 201), ("owner", 201), ("outsider", 400)]
    )
    def test_members_comment_viewers_and_outsiders_do_not(self, as_user, request, task, who, status_code):
        client = as_user(request.getfixturevalue(who))
        assert client.post(COMMENTS, {"task": str(task.pk), "body": "Hm."}).status_code == status_code
        assert task.comments.count() == (status_code == 201)

    def test_a_foreign_task_is_refused_as_a_missing_one(self, api, foreign_task, task, nothing_changes):
        answers = []
        for value in (str(foreign_task.pk), NOBODYS):
            with nothing_changes():
                answer = api.post(COMMENTS, {"task": value, "body": "Hm."})
            answers.append((answer.status_code, answer.content.decode().replace(value, "ID")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 400

    def test_a_comment_does_not_change_its_task(self, api, task):
        api.post(COMMENTS, {"task": str(task.pk), "body": "Hm."})
        task.refresh_from_db()
        assert task.version == 1


class TestEdit:
    def test_the_author_edits_and_the_comment_says_so(self, api, comment):
        before = api.get(url(comment)).json()
        answer = api.patch(url(comment), {"body": " Better said. "})
        after = answer.json()
        assert (answer.status_code, after["body"]) == (200, " Better said. ")
        assert {field for field in FIELDS if after[field] != before[field]} == {"body", "edited_at", "updated_at"}
        assert before["edited_at"] is None
        assert after["edited_at"] >= before["created_at"]
        assert after["updated_at"] > before["updated_at"]
        assert api.get(url(comment)).json() == after

    def test_each_edit_is_later(self, api, comment):
        first = api.patch(url(comment), {"body": "One"}).json()
        assert api.patch(url(comment), {"body": "Two"}).json()["edited_at"] > first["edited_at"]

    def test_the_same_words_again_are_no_edit(self, api, comment, nothing_changes):
        whole = api.get(url(comment)).json()
        with nothing_changes():
            for body in ({}, {"body": comment.body}, whole, {"author": NOBODYS}):
                assert api.patch(url(comment), body).json() == whole

    @pytest.mark.parametrize("who", ["viewer", "member", "admin", "owner"])
    def test_only_its_author_edits_one_whatever_their_role(self, as_user, request, task, comment, nothing_changes, who):
        person = request.getfixturevalue(who)
        own = CommentFactory(task=task, author=person)
        client = as_user(person)
        assert client.patch(url(own), {"body": "Mine"}).status_code == 200
        others = CommentFactory(task=task, author=request.getfixturevalue("owner" if who != "owner" else "admin"))
        with nothing_changes():
            answer = client.patch(url(others), {"body": "Mine too"})
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    def test_who_left_the_project_does_not_edit_what_they_said(self, api, project, member, comment, nothing_changes):
        project.memberships.get(user=member).delete()
        with nothing_changes():
            assert api.patch(url(comment), {"body": "Later"}).status_code == 404

    def test_it_stays_with_its_task(self, api, project, comment, nothing_changes):
        other = TaskFactory(project=project)
        with nothing_changes():
            answer = api.patch(url(comment), {"task": str(other.pk), "body": "Elsewhere"})
        assert (answer.status_code, answer.json()["errors"]["task"][0]["code"]) == (400, "fixed")

    def test_put_is_not_offered(self, api, comment, nothing_changes):
        with nothing_changes():
            answer = api.put(url(comment), api.get(url(comment)).json())
        assert answer.status_code == 405


class TestDelete:
    @pytest.mark.parametrize(
        ("who", "whose", "status_code"),
        [
            ("viewer", "viewer", 403),
            ("viewer", "member", 403),
            ("member", "member", 204),
            ("member", "viewer", 403),
            ("member", "owner", 403),
            ("admin", "owner", 204),
            ("admin", "viewer", 204),
            ("owner", "member", 204),
            ("outsider", "member", 404),
            ("outsider", "outsider", 404),
        ],
    )
    def test_its_author_and_admins_delete_it(self, as_user, request, task, who, whose, status_code):
        comment = CommentFactory(task=task, author=request.getfixturevalue(whose))
        answer = as_user(request.getfixturevalue(who)).delete(url(comment))
        assert answer.status_code == status_code
        assert Comment.objects.filter(pk=comment.pk).exists() == (status_code != 204)

    def test_a_deleted_comment_is_gone(self, api, comment):
        assert api.delete(url(comment)).status_code == 204
        assert api.get(url(comment)).status_code == api.delete(url(comment)).status_code == 404

    def test_comments_go_with_their_task(self, as_user, owner, task, comment, foreign_comment):
        assert as_user(owner).delete(f"/api/v1/tasks/{task.pk}/").status_code == 204
        assert list(Comment.objects.all()) == [foreign_comment]

    def test_people_who_commented_cannot_be_deleted(self, comment, member):
        with pytest.raises(Exception, match="protected"):
            member.delete()


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_a_foreign_comment_is_404_as_a_missing_one(api, foreign_comment, comment, nothing_changes, method):
    with nothing_changes():
        foreign, missing = (getattr(api, method)(f"{COMMENTS}{pk}/") for pk in (foreign_comment.pk, NOBODYS))
    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content


def test_staff_have_no_way_round(as_user, comment, outsider):
    outsider.is_staff = outsider.is_superuser = True
    outsider.save()
    assert as_user(outsider).get(url(comment)).status_code == 404
    assert as_user(outsider).get(COMMENTS).json()["count"] == 0


def test_nobody_reads_or_writes_without_a_token(anonymous, task, comment, nothing_changes):
    with nothing_changes():
        answers = [
            anonymous.get(COMMENTS),
            anonymous.get(url(comment)),
            anonymous.post(COMMENTS, {"task": str(task.pk), "body": "Hm."}),
            anonymous.patch(url(comment), {"body": "Hm."}),
            anonymous.delete(url(comment)),
        ]
    assert [answer.status_code for answer in answers] == [401] * 5
    assert not any("Well said" in answer.content.decode() for answer in answers)


class TestArchived:
    @pytest.fixture(autouse=True)
    def archived(self, as_user, owner, project, comment):
        assert as_user(owner).patch(f"/api/v1/projects/{project.key}/", {"archived": True}).status_code == 200

    def test_every_write_conflicts(self, api, as_user, owner, task, comment, nothing_changes):
        owners = as_user(owner)
        with nothing_changes():
            answers = [
                api.post(COMMENTS, {"task": str(task.pk), "body": "Hm."}),
                api.patch(url(comment), {"body": "Hm."}),
                api.patch(url(comment), {}),
                api.delete(url(comment)),
                owners.delete(url(comment)),
            ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "archived")] * 5

    def test_comments_can_still_be_read(self, api, comment):
        assert api.get(url(comment)).json()["body"] == "Well said."
        assert api.get(COMMENTS).json()["count"] == 1

    def test_who_may_not_edit_is_told_that_first(self, as_user, owner, comment):
        assert as_user(owner).patch(url(comment), {"body": "Hm."}).status_code == 403


class TestBadInput:
    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("body", [None, "", " \n\t", True, [], {}, ["x"], "x" * (LONGEST_TEXT + 1)]),
            ("task", [None, "", "x", 1, 10**30, 1.5, True, [], {}, "PROJ-1", NOBODYS]),
        ],
        ids=["body", "task"],
    )
    def test_what_does_not_fit_is_refused_and_named(self, api, task, comment, nothing_changes, field, values):
        for value in values:
            with nothing_changes():
                answers = [
                    api.post(COMMENTS, {"task": str(task.pk), "body": "Hm.", field: value}),
                    api.patch(url(comment), {field: value}),
                ]
            for answer in answers:
                assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])

    @pytest.mark.parametrize(
        "raw",
        [
            rb'{"body": "\u0000"}',
            rb'{"body": "\ud800"}',
            b'{"body": "\xff"}',
            b'{"body": "a", "body": "b"}',
            b"[",
            b"[]",
        ],
    )
    def test_a_body_that_cannot_be_kept_is_refused(self, api, task, comment, nothing_changes, raw):
        with nothing_changes():
            answers = [
                api.post(COMMENTS, raw, content_type="application/json"),
                api.patch(url(comment), raw, content_type="application/json"),
            ]
        assert [answer.status_code for answer in answers] == [400, 400]

    @pytest.mark.parametrize(
        "name", ["1", "x", "%00", "🎟️", "PROJ-1", "x" * 5000, "00000000-0000-0000-0000-00000000000g"]
    )
    def test_a_name_that_is_no_id_gives_404(self, api, comment, name):
        for method in ("get", "patch", "delete"):
            assert getattr(api, method)(f"{COMMENTS}{name}/").status_code == 404

    def test_a_task_of_another_of_ones_projects_is_fine_and_counts_there(self, api, member, task):
        elsewhere = TaskFactory(project=ProjectFactory(viewer=member))
        assert api.post(COMMENTS, {"task": str(elsewhere.pk), "body": "Hm."}).status_code == 403
        assert api.post(COMMENTS, {"task": str(task.pk), "body": "Hm."}).status_code == 201
