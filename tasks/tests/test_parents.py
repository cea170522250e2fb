"""The parent of a task: of its own project, and never below itself."""

import pytest

from tasks.models import Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"


@pytest.fixture
def chain(project):
    """Five tasks, each the parent of the next."""
    tasks = [TaskFactory(project=project)]
    for _ in range(4):
        tasks.append(TaskFactory(project=project, parent=tasks[-1]))
    return tasks


def hang(api, task, parent):
    return api.patch(f"{TASKS}{task.pk}/", {"parent": parent and str(parent.pk)})


def is_circle(answer):
    if answer.status_code != 400:
        return False
    [error] = answer.json()["errors"]["parent"]
    return error["code"] == "circle"


@pytest.mark.parametrize("depth", range(5))
def test_a_task_is_not_hung_below_itself_however_deep(api, chain, nothing_changes, depth):
    with nothing_changes():
        assert is_circle(hang(api, chain[0], chain[depth]))


def test_in_the_middle_of_a_chain_up_is_fine_and_down_is_not(api, chain, nothing_changes):
    with nothing_changes():
        assert is_circle(hang(api, chain[2], chain[4]))
    assert hang(api, chain[4], chain[0]).status_code == 200
    assert hang(api, chain[2], chain[4]).status_code == 200


def test_one_query_tells_whether_a_task_is_below_another_however_deep(chain, django_assert_num_queries):
    for task in chain:
        with django_assert_num_queries(1):
            assert chain[-1].descends_from(task)
    with django_assert_num_queries(1):
        assert not chain[-2].descends_from(chain[-1])


def test_a_branch_may_change_sides(api, project, chain):
    other = TaskFactory(project=project)
    assert hang(api, chain[1], other).json()["parent"] == str(other.pk)
    assert hang(api, chain[0], chain[4]).status_code == 200


def test_a_circle_is_refused_among_other_changes_too(api, chain, nothing_changes):
    with nothing_changes():
        answer = api.patch(f"{TASKS}{chain[0].pk}/", {"title": "New", "parent": str(chain[3].pk)})
    assert is_circle(answer)


def test_a_circle_is_refused_in_bulk(api, chain, project, nothing_changes):
    stranger = TaskFactory(project=project)
    body = {"ids": [str(stranger.pk), str(chain[0].pk)], "set": {"parent": str(chain[4].pk)}}
    with nothing_changes():
        answer = api.post(f"{TASKS}bulk/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"]["set.parent"][0]["code"] == "circle"


def test_a_parent_set_in_bulk_may_not_be_among_those_set(api, project, nothing_changes):
    tasks = TaskFactory.create_batch(3, project=project)
    body = {"ids": [str(task.pk) for task in tasks], "set": {"parent": str(tasks[2].pk)}}
    with nothing_changes():
        assert api.post(f"{TASKS}bulk/", body).status_code == 400


def test_a_new_task_hangs_where_it_is_told(api, project, chain):
    answer = api.post(TASKS, {"project": str(project.pk), "title": "Leaf", "parent": str(chain[4].pk)})
    assert (answer.status_code, answer.json()["parent"]) == (201, str(chain[4].pk))


def test_a_new_task_with_an_id_of_its_own_is_not_its_own_parent(api, project, task, nothing_changes):
    mine = "0192f0c0-0000-7000-8000-000000000001"
    with nothing_changes():
        answer = api.post(TASKS, {"id": mine, "project": str(project.pk), "title": "Loop", "parent": mine})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["parent"])


def test_taking_the_parent_away_frees_the_way(api, chain):
    assert hang(api, chain[1], None).json()["parent"] is None
    assert hang(api, chain[0], chain[4]).status_code == 200


def test_a_circle_that_a_shell_made_does_not_hang_the_server(api, project, chain):
    """The database does not forbid longer circles; whoever asks whether a task is below another gets an answer."""
    Task.objects.filter(pk=chain[0].pk).update(parent=chain[4])
    assert hang(api, TaskFactory(project=project), chain[2]).status_code == 200
