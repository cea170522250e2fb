"""POST tasks/{id}/move/: the place of a task on the board."""

import random

import pytest

from projects.tests.factories import ProjectFactory
from tasks.board import Board
from tasks.models import Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
NO_TASK = "0192f0c0-0000-7000-8000-00000000dead"


@pytest.fixture
def tasks(project):
    return TaskFactory.create_batch(4, project=project)


@pytest.fixture
def move(api):
    def move(task, **body):
        body = {name: str(value.pk) if isinstance(value, Task) else value for name, value in body.items()}
        return api.post(f"{TASKS}{task.pk}/move/", body)

    return move


@pytest.fixture
def board(api, project):
    """A callable that gives the numbers of the tasks in the order of the board."""

    def board():
        rows = api.get(TASKS, {"project": project.key, "ordering": "position", "limit": 100}).json()["results"]
        places = [row["position"] for row in rows]
        assert places == sorted(set(places))
        return [row["number"] for row in rows]

    return board


@pytest.mark.parametrize(
    ("mover", "side", "beside", "order"),
    [
        (1, "before", 4, [2, 3, 1, 4]),
        (1, "after", 4, [2, 3, 4, 1]),
        (4, "before", 1, [4, 1, 2, 3]),
        (4, "after", 1, [1, 4, 2, 3]),
        (2, "before", 1, [2, 1, 3, 4]),
        (2, "after", 3, [1, 3, 2, 4]),
        (2, "before", 3, [1, 2, 3, 4]),
        (3, "after", 2, [1, 2, 3, 4]),
    ],
)
def test_a_task_goes_just_before_or_just_after_another(move, board, tasks, mover, side, beside, order):
    task = tasks[mover - 1]
    answer = move(task, **{side: tasks[beside - 1]})
    assert answer.status_code == 200
    assert board() == order


def test_a_move_changes_place_and_version_of_the_one_task_alone(api, move, tasks):
    before = {row["number"]: row for row in api.get(TASKS).json()["results"]}
    moved = move(tasks[0], after=tasks[2])
    after = {row["number"]: row for row in api.get(TASKS).json()["results"]}
    assert {number for number in before if before[number] != after[number]} == {1}
    assert {field for field in after[1] if after[1][field] != before[1][field]} == {"position", "version", "updated_at"}
    assert after[1]["version"] == 2
    assert (moved.json(), moved["ETag"]) == (after[1], '"2"')


def test_into_another_status_it_goes_last_unless_told(move, board, tasks):
    answer = move(tasks[0], status="in-progress")
    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, "in-progress", 2)
    assert board() == [2, 3, 4, 1]


def test_status_and_place_are_one_change(move, board, tasks):
    answer = move(tasks[3], status="done", before=tasks[1]).json()
    assert (answer["status"], answer["version"]) == ("done", 2)
    assert answer["completed_at"] is not None
    assert board() == [1, 4, 2, 3]
    back = move(tasks[3], status="todo", after=tasks[2]).json()
    assert (back["status"], back["completed_at"], back["version"]) == ("todo", None, 3)
    assert board() == [1, 2, 3, 4]


def test_into_the_status_that_it_has_nothing_changes(move, tasks, nothing_changes):
    with nothing_changes():
        answer = move(tasks[0], status="todo")
    assert (answer.status_code, answer.json()["version"]) == (200, 1)


def test_by_key_as_well(api, board, tasks):
    assert api.post(f"{TASKS}PROJ-1/move/", {"after": str(tasks[1].pk)}).status_code == 200
    assert board() == [2, 1, 3, 4]


def test_first_and_last_again_and_again(move, board, tasks):
    expected = [1, 2, 3, 4]
    for turn in range(8):
        mover = expected[turn % 3 + 1]
        expected.remove(mover)
        if turn % 2:
            assert move(tasks[mover - 1], after=tasks[expected[-1] - 1]).status_code == 200
            expected.append(mover)
        else:
            assert move(tasks[mover - 1], before=tasks[expected[0] - 1]).status_code == 200
            expected.insert(0, mover)
        assert board() == expected


def test_moves_at_random_keep_the_order_of_a_list(project, board):
    rng = random.Random(3)
    tasks = TaskFactory.create_batch(6, project=project)
    expected = [task.number for task in tasks]
    for _ in range(40):
        mover, beside = rng.sample(tasks, 2)
        side = rng.choice(["before", "after"])
        Task.objects.get(pk=mover.pk).move(**{side: beside})
        expected.remove(mover.number)
        expected.insert(expected.index(beside.number) + (side == "after"), mover.number)
    assert board() == expected


class TestRespread:
    """Places in one gap grow longer with each move; before they are too long, those around get short ones anew."""

    @pytest.fixture(autouse=True)
    def short_places(self, monkeypatch):
        monkeypatch.setattr(Board, "LONGEST_POSITION", 12)

    def test_many_moves_into_one_gap_keep_the_order(self, move, board, tasks):
        expected, longest = [1, 2, 3, 4], 0
        for turn in range(20):
            mover = expected[2]  # what stands third goes just after the first
            answer = move(tasks[mover - 1], after=tasks[0])
            assert answer.status_code == 200
            expected.remove(mover)
            expected.insert(1, mover)
            assert board() == expected, turn
            longest = max(longest, *(len(task.position) for task in Task.objects.all()))
        assert longest == 12

    def test_the_moved_task_changes_once_as_in_any_move(self, move, tasks, board):
        for _ in range(20):
            mover = Task.objects.get(number=board()[2])
            assert move(mover, after=tasks[0]).json()["version"] == mover.version + 1

    def test_each_task_that_gets_another_place_is_told_of_once(self, api, move, tasks, board, log):
        respreads = 0
        for _ in range(20):
            before = {row["id"]: row for row in api.get(TASKS).json()["results"]}
            log()
            move(Task.objects.get(number=board()[2]), after=tasks[0])
            events = log()
            after = {row["id"]: row for row in api.get(TASKS).json()["results"]}
            assert {event["id"]: event["object"] for event in events} == {
                pk: row for pk, row in after.items() if row != before[pk]
            }
            assert len(events) == len({event["id"] for event in events})
            respreads += len(events) > 1
        assert respreads

    def test_tasks_far_from_the_gap_keep_their_places(self, tasks, project, monkeypatch):
        monkeypatch.setattr(Board, "LONGEST_POSITION", 40)
        TaskFactory.create_batch(20, project=project)
        far = Task.objects.filter(number__gt=10).order_by("number")
        places, longest = list(far.values_list("position", "version")), 0
        for turn in range(200):
            Task.objects.get(pk=tasks[1 + turn % 2].pk).move(after=tasks[0])
            longest = max(longest, *map(len, Task.objects.values_list("position", flat=True)))
        assert longest == 40
        assert list(far.values_list("position", "version")) == places

    @pytest.mark.parametrize("side", ["before", "after"])
    @pytest.mark.parametrize("spot", [0, 3, 6])
    def test_tasks_that_all_go_into_one_gap_stay_in_order(self, project, board, monkeypatch, side, spot):
        monkeypatch.setattr(Board, "LONGEST_POSITION", 16)
        tasks = TaskFactory.create_batch(40, project=project)
        expected = [task.number for task in tasks]
        for mover in tasks[7:]:
            Task.objects.get(pk=mover.pk).move(**{side: tasks[spot]})
            expected.remove(mover.number)
            expected.insert(expected.index(tasks[spot].number) + (side == "after"), mover.number)
        assert board() == expected
        assert max(map(len, Task.objects.values_list("position", flat=True))) <= 16


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "non_field_errors"),
        ({"before": "OTHER", "after": "THIRD"}, "non_field_errors"),
        ({"before": "SELF"}, "before"),
        ({"after": "SELF", "status": "done"}, "after"),
        ({"status": "nowhere"}, "status"),
        ({"status": None}, "status"),
        ({"status": "done", "before": NO_TASK}, "before"),
        ({"after": NO_TASK}, "after"),
        ({"after": None}, "after"),
        ({"before": "PROJ-2"}, "before"),
        ({"before": ["OTHER"]}, "before"),
        ({"before": {"id": 1}}, "before"),
        ({"after": 1}, "after"),
        ({"status": ["done"]}, "status"),
        ({"position": "1"}, "non_field_errors"),
        ([], "non_field_errors"),
        ("done", "non_field_errors"),
        (None, "non_field_errors"),
    ],
)
def test_what_makes_no_sense_is_refused(api, tasks, nothing_changes, body, field):
    words = {"SELF": str(tasks[0].pk), "OTHER": str(tasks[1].pk), "THIRD": str(tasks[2].pk)}
    if isinstance(body, dict):
        body = {name: words.get(value, value) if isinstance(value, str) else value for name, value in body.items()}
    with nothing_changes():
        answer = api.post(f"{TASKS}{tasks[0].pk}/move/", body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_foreign_task_is_refused_as_a_missing_one(move, tasks, foreign_task, nothing_changes, side):
    answers = []
    for value in (str(foreign_task.pk), NO_TASK):
        with nothing_changes():
            answer = move(tasks[0], **{side: value})
        answers.append((answer.status_code, answer.content.decode().replace(value, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 400


def test_a_task_of_another_of_ones_projects_is_no_neighbour(move, tasks, member, nothing_changes):
    other = TaskFactory(project=ProjectFactory(owner=member))
    with nothing_changes():
        assert move(tasks[0], before=other).status_code == 400


def test_a_status_of_another_of_ones_projects_is_no_place_to_go(move, tasks, member, nothing_changes):
    ProjectFactory(owner=member).statuses.create(name="Elsewhere", category="todo", position=9)
    with nothing_changes():
        assert move(tasks[0], status="elsewhere").status_code == 400


@pytest.mark.parametrize(
    ("who", "status_code"), [("viewer", 403), ("member", 200), ("admin", 200), ("owner", 200), ("outsider", 404)]
)
def test_who_may_change_a_task_may_move_it(as_user, request, tasks, who, status_code):
    client = as_user(request.getfixturevalue(who))
    answer = client.post(f"{TASKS}{tasks[0].pk}/move/", {"after": str(tasks[2].pk)})
    assert answer.status_code == status_code
    assert (Task.objects.get(number=1).version == 2) == (status_code == 200)


def test_a_stale_if_match_is_412_with_the_present_task(api, tasks, nothing_changes):
    url = f"{TASKS}{tasks[0].pk}/"
    present = api.get(url).json()
    with nothing_changes():
        answer = api.post(f"{url}move/", {"after": str(tasks[2].pk)}, headers={"If-Match": '"7"'})
    assert (answer.status_code, answer.json()["current"]) == (412, present)
    assert api.post(f"{url}move/", {"status": "done"}, headers={"If-Match": '"1"'}).status_code == 200
