"""POST tasks/ with an id made by the client: a retry after a cut line never makes two."""

import uuid

import pytest
from django.utils import timezone

from projects.models import Project
from projects.tests.factories import LabelFactory, ProjectFactory
from tasks.models import Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
MINE = "0192f0c0-0000-7000-8000-000000000001"


@pytest.fixture
def body(project):
    return {"id": MINE, "project": str(project.pk), "title": "Once"}


def test_the_clients_id_is_the_tasks_id(api, body):
    answer = api.post(TASKS, body)
    assert (answer.status_code, answer.json()["id"]) == (201, MINE)


def test_the_same_again_gives_the_task_that_stands(api, body, nothing_changes):
    first = api.post(TASKS, body)
    with nothing_changes():
        again = api.post(TASKS, body)
    assert (again.status_code, again.json(), again["ETag"]) == (200, first.json(), first["ETag"])


def test_the_task_that_stands_is_given_as_it_is_by_now(api, body, nothing_changes):
    api.post(TASKS, body)
    changed = api.patch(f"{TASKS}{MINE}/", {"title": "Changed", "status": "done"}).json()
    with nothing_changes():
        again = api.post(TASKS, body)
    assert (again.status_code, again.json()) == (200, changed)


def test_a_retry_does_not_change_the_task_even_if_its_fields_differ(api, body, nothing_changes):
    first = api.post(TASKS, body).json()
    with nothing_changes():
        again = api.post(TASKS, body | {"title": "Twice", "priority": "urgent"})
    assert (again.status_code, again.json()) == (200, first)


def test_a_retry_gives_the_task_though_what_it_named_is_gone(api, body, project, member, admin, nothing_changes):
    """The first was made; what its body names has been deleted since. It is still the same request."""
    label, parent = LabelFactory(project=project), TaskFactory(project=project)
    body |= {"labels": [str(label.pk)], "parent": str(parent.pk), "assignees": [str(admin.pk)]}
    assert api.post(TASKS, body).status_code == 201
    label.delete()
    parent.delete()
    project.memberships.get(user=admin).delete()
    with nothing_changes():
        again = api.post(TASKS, body)
    assert (again.status_code, again.json()["id"]) == (200, MINE)


def demote(project, member):
    project.memberships.filter(user=member).update(role="viewer")


def archive(project, member):
    Project.objects.filter(pk=project.pk).update(archived_at=timezone.now())


@pytest.mark.parametrize(("end", "code"), [(demote, "permission_denied"), (archive, "archived")])
def test_a_retry_gives_the_task_though_no_other_could_be_made(api, body, project, member, end, code, nothing_changes):
    first = api.post(TASKS, body).json()
    of_another = TaskFactory(project=project)
    end(project, member)
    with nothing_changes():
        again = api.post(TASKS, body)
        others = [api.post(TASKS, body | {"id": pk}) for pk in (str(of_another.pk), str(uuid.uuid4()))]
    assert (again.status_code, again.json()) == (200, first)
    assert [other.json()["code"] for other in others] == [code, code]


def test_the_id_is_the_same_however_it_is_spelled(api, body, nothing_changes):
    api.post(TASKS, body)
    with nothing_changes():
        for spelling in (MINE.upper(), MINE.replace("-", ""), f"urn:uuid:{MINE}"):
            assert api.post(TASKS, body | {"id": spelling}).status_code == 200


def conflict(answer):
    return answer.status_code == 409 and answer.json()["code"] == "id_taken"


def test_an_id_that_somebody_else_used_is_taken(api, as_user, owner, body, nothing_changes):
    api.post(TASKS, body)
    client = as_user(owner)
    with nothing_changes():
        answer = client.post(TASKS, body)
    assert conflict(answer)
    assert "Once" not in answer.content.decode()


def delete_task(api):
    Task.objects.get(pk=MINE).delete()


def delete_all(api):
    Task.objects.filter(pk=MINE).delete()


def delete_by_the_api(api):
    assert api.delete(f"{TASKS}{MINE}/").status_code == 204


def delete_in_bulk(api):
    assert api.post(f"{TASKS}bulk/", {"ids": [MINE], "delete": True}).status_code == 204


def delete_project(api):
    Task.objects.get(pk=MINE).project.delete()


@pytest.mark.parametrize("delete", [delete_task, delete_all, delete_by_the_api, delete_in_bulk, delete_project])
def test_the_id_of_a_deleted_task_is_never_used_again(api, member, body, nothing_changes, delete):
    """Or an ETag of the old one would fit the new one."""
    elsewhere = ProjectFactory(member=member)
    api.post(TASKS, body)
    delete(api)
    with nothing_changes():
        answers = [api.post(TASKS, body | {"project": str(elsewhere.pk)})]
        if delete is not delete_project:
            answers.append(api.post(TASKS, body))
    assert all(conflict(answer) for answer in answers)


def test_an_id_used_in_another_project_is_taken(api, member, body, nothing_changes):
    other = ProjectFactory(owner=member)
    api.post(TASKS, body)
    with nothing_changes():
        assert conflict(api.post(TASKS, body | {"project": str(other.pk)}))


def test_an_id_used_in_a_project_out_of_sight_is_taken_and_nothing_of_it_told(api, body, foreign_task, nothing_changes):
    with nothing_changes():
        answer = api.post(TASKS, body | {"id": str(foreign_task.pk)})
    assert conflict(answer)
    assert foreign_task.title not in answer.content.decode()
    assert "SECRET" not in answer.content.decode()


def test_a_task_that_nobody_made_is_nobodys_to_retry(api, body, project, nothing_changes):
    made_in_a_shell = TaskFactory(project=project, created_by=None)
    with nothing_changes():
        assert conflict(api.post(TASKS, body | {"id": str(made_in_a_shell.pk)}))


def test_who_left_the_project_learns_nothing_by_a_retry(api, body, project, member, nothing_changes):
    api.post(TASKS, body)
    project.memberships.get(user=member).delete()
    with nothing_changes():
        answer = api.post(TASKS, body)
    assert answer.status_code == 400
    assert "Once" not in answer.content.decode()


@pytest.mark.parametrize("task_id", ["", "x", "0192f0c0", [MINE], {"id": MINE}, None, 1.5, 2**128, -1])
def test_what_is_no_uuid_is_no_id(api, body, nothing_changes, task_id):
    with nothing_changes():
        answer = api.post(TASKS, body | {"id": task_id})
    assert answer.status_code == 400
    assert "id" in answer.json()["errors"]


def test_without_an_id_the_same_body_makes_two(api, body):
    del body["id"]
    assert api.post(TASKS, body).json()["id"] != api.post(TASKS, body).json()["id"]
    assert Task.objects.count() == 2


def test_a_random_uuid_serves_as_well(api, body):
    task_id = str(uuid.UUID(int=42, version=4))
    assert api.post(TASKS, body | {"id": task_id}).json()["id"] == task_id
