"""GET tasks/{id or key}/, its ETag, and what cannot be seen."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.tests.factories import LabelFactory
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
NO_TASK = "0192f0c0-0000-7000-8000-00000000dead"


def url(task):
    return f"{TASKS}{task.pk}/"


@pytest.mark.parametrize("who", ["viewer", "member", "admin", "owner"])
def test_everybody_in_the_project_reads_a_task_by_id_and_by_key(as_user, task, request, who):
    client = as_user(request.getfixturevalue(who))
    by_id, by_key = client.get(url(task)), client.get(f"{TASKS}{task.key}/")
    assert (by_id.status_code, by_key.status_code) == (200, 200)
    assert by_id.json() == by_key.json()
    assert by_id.json()["title"] == "Lay the table"


def test_an_id_is_found_however_it_is_spelled(api, task):
    assert api.get(f"{TASKS}{str(task.pk).upper()}/").status_code == 200
    assert api.get(f"{TASKS}{task.pk.hex}/").status_code == 200


def test_an_outsider_gets_404_for_a_task_that_exists_exactly_as_for_one_that_does_not(as_user, task, outsider):
    client = as_user(outsider)
    missing = client.get(f"{TASKS}{NO_TASK}/")
    assert missing.status_code == 404
    for answer in (client.get(url(task)), client.get(f"{TASKS}{task.key}/"), client.get(f"{TASKS}PROJ-99/")):
        assert (answer.status_code, answer.content) == (404, missing.content)


def test_staff_have_no_way_round(as_user, task, outsider):
    outsider.is_staff = outsider.is_superuser = True
    outsider.save()
    assert as_user(outsider).get(url(task)).status_code == 404


def test_a_former_member_gets_404(api, project, task, member):
    assert api.get(url(task)).status_code == 200
    project.memberships.get(user=member).delete()
    assert api.get(url(task)).status_code == 404


def test_nobody_reads_without_a_token(anonymous, task):
    for path in (TASKS, url(task), f"{TASKS}{task.key}/"):
        answer = anonymous.get(path)
        assert answer.status_code == 401
        assert "Lay the table" not in answer.content.decode()


@pytest.mark.parametrize(
    "name",
    [
        "PROJ-99999999999999999999",
        "PROJ-999999999",
        "PROJ-0",
        "PROJ-01",
        "PROJ--1",
        "PROJ-1x",
        "PROJ-١",
        "PROJ-1%0A",
        "proj-1",
        "NOPE-1",
        "PROJ",
        "-1",
        "1",
        "not-a-uuid",
        "00000000-0000-0000-0000-00000000000g",
        "%00",
        "a%00b",
        "%ED%A0%80",
        "🎟️",
        "x" * 5000,
    ],
)
@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_a_name_that_is_no_tasks_gives_404(api, task, nothing_changes, name, method):
    with nothing_changes():
        answer = getattr(api, method)(f"{TASKS}{name}/")
    assert answer.status_code == 404
    assert answer.json() == {"detail": answer.json()["detail"], "code": "not_found"}


def test_put_is_not_offered(api, task, nothing_changes):
    with nothing_changes():
        answer = api.put(url(task), api.get(url(task)).json())
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "path"),
    [("patch", ""), ("delete", ""), ("put", ""), ("post", "{id}/"), ("get", "{id}/move/"), ("put", "bulk/")],
)
def test_methods_that_make_no_sense_are_405(api, task, nothing_changes, method, path):
    with nothing_changes():
        assert getattr(api, method)(TASKS + path.format(id=task.pk), {}).status_code == 405


@pytest.mark.parametrize("path", ["", "{id}/", "{id}/move/", "bulk/"])
def test_options_are_told_everywhere(api, task, nothing_changes, path):
    with nothing_changes():
        assert api.options(TASKS + path.format(id=task.pk)).status_code == 200


def test_a_parameter_that_does_not_exist_is_refused_here_too(api, task):
    answer = api.get(url(task), {"fields": "id"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["fields"])


class TestETag:
    def test_it_is_the_version_in_quotes_and_changes_with_it(self, api, task):
        assert api.get(url(task))["ETag"] == f'"{task.version}"'
        assert api.patch(url(task), {"title": "New"})["ETag"] == '"2"'
        assert api.get(url(task))["ETag"] == '"2"'

    @pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"7", "1"', "*"])
    def test_who_has_this_version_already_gets_304_without_a_body(self, api, task, tags):
        answer = api.get(url(task), headers={"If-None-Match": tags})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer["ETag"] == '"1"'

    @pytest.mark.parametrize("tags", ['"2"', '"0", "11"', "1", "nonsense", '"'])
    def test_who_has_another_gets_the_task(self, api, task, tags):
        answer = api.get(url(task), headers={"If-None-Match": tags})
        assert (answer.status_code, answer.json()["title"]) == (200, task.title)

    def test_after_a_change_the_old_tag_gets_the_new_task(self, api, task):
        api.patch(url(task), {"title": "New"})
        answer = api.get(url(task), headers={"If-None-Match": '"1"'})
        assert (answer.status_code, answer.json()["title"], answer["ETag"]) == (200, "New", '"2"')

    def test_an_outsider_learns_nothing_by_guessing_the_tag(self, as_user, outsider, task):
        assert as_user(outsider).get(url(task), headers={"If-None-Match": '"1"'}).status_code == 404

    def test_other_preconditions_do_not_spoil_a_read(self, api, task):
        headers = {"If-None-Match": '"9"', "If-Match": '"9"', "If-Unmodified-Since": "Wed, 21 Oct 2015 07:28:00 GMT"}
        answer = api.get(url(task), headers=headers)
        assert (answer.status_code, answer.json()["title"]) == (200, task.title)


def queries_of(client, path):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


def test_one_task_costs_the_same_queries_whatever_hangs_on_it(api, project, task, member, admin, owner):
    bare = queries_of(api, url(task))
    task.labels.set(LabelFactory.create_batch(30, project=project))
    task.assignees.set([member, admin, owner])
    TaskFactory.create_batch(30, project=project, parent=task)
    assert queries_of(api, url(task)) == queries_of(api, f"{TASKS}{task.key}/") == bare <= 6
