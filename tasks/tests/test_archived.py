"""A project that is archived is read-only: every write there is a 409, until it is restored."""

import pytest

from projects.tests.factories import LabelFactory
from tasks.tests.factories import TaskFactory, TaskRelationFactory

API = "/api/v1/"
WRITES = {
    "make a task": ("post", "tasks/", {"project": "{project}", "title": "New"}),
    "change": ("patch", "tasks/{task}/", {"title": "New"}),
    "change nothing": ("patch", "tasks/{task}/", {}),
    "delete": ("delete", "tasks/{task}/", None),
    "move": ("post", "tasks/{task}/move/", {"status": "done"}),
    "move beside": ("post", "tasks/{task}/move/", {"after": "{other}"}),
    "set in bulk": ("post", "tasks/bulk/", {"ids": ["{task}"], "set": {"title": "New"}}),
    "delete in bulk": ("post", "tasks/bulk/", {"ids": ["{task}"], "delete": True}),
    "relate": ("post", "relations/", {"source": "{other}", "target": "{task}", "type": "duplicates"}),
    "unrelate": ("delete", "relations/{relation}/", None),
}


@pytest.fixture
def words(project, task, member):
    other = TaskFactory(project=project)
    task.labels.add(LabelFactory(project=project))
    relation = TaskRelationFactory(source=task, target=other)
    return {"project": project.pk, "task": task.pk, "other": other.pk, "relation": relation.pk}


def fill(value, words):
    match value:
        case str():
            return value.format(**words)
        case list():
            return [fill(item, words) for item in value]
        case dict():
            return {name: fill(item, words) for name, item in value.items()}
    return value


def archive(client, project, archived):
    answer = client.patch(f"{API}projects/{project.key}/", {"archived": archived})
    assert answer.status_code == 200


@pytest.mark.parametrize("who", ["member", "owner"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_conflicts_and_changes_nothing(
    as_user, owner, request, project, words, nothing_changes, write, who
):
    archive(as_user(owner), project, True)
    method, path, body = write
    client = as_user(request.getfixturevalue(who))
    with nothing_changes():
        answer = getattr(client, method)(API + fill(path, words), fill(body, words))
    assert (answer.status_code, answer.json()["code"]) == (409, "archived")


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_viewers_are_told_that_they_may_not_and_outsiders_nothing(
    as_user, owner, viewer, outsider, project, words, nothing_changes, write
):
    archive(as_user(owner), project, True)
    method, path, body = write
    clients = [as_user(viewer), as_user(outsider)]
    with nothing_changes():
        answers = [getattr(client, method)(API + fill(path, words), fill(body, words)) for client in clients]
    assert answers[0].status_code == 403
    assert answers[1].status_code in {400, 404}
    assert "archived" not in answers[1].content.decode()


def test_it_can_still_be_read(as_user, owner, viewer, project, task, words):
    archive(as_user(owner), project, True)
    client = as_user(viewer)
    for path in ("tasks/", f"tasks/{task.pk}/", "relations/", "tasks/?project=PROJ&search=table"):
        assert client.get(API + path).status_code == 200
    assert client.get(f"{API}tasks/").json()["count"] == 2


def test_once_restored_it_takes_writes_again(as_user, owner, api, project, task):
    archive(as_user(owner), project, True)
    archive(as_user(owner), project, False)
    assert api.patch(f"{API}tasks/{task.pk}/", {"title": "New"}).status_code == 200
