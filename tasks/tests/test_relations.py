"""Relations: what tasks of one project are to each other."""

import pytest

from projects.tests.factories import ProjectFactory
from tasks.models import TaskRelation
from tasks.tests.factories import TaskFactory, TaskRelationFactory

RELATIONS = "/api/v1/relations/"
NO_TASK = "0192f0c0-0000-7000-8000-00000000dead"
TYPES = ["blocks", "relates_to", "duplicates"]


@pytest.fixture
def pair(project):
    return TaskFactory.create_batch(2, project=project)


@pytest.fixture
def relation(pair):
    return TaskRelationFactory(source=pair[0], target=pair[1], type="blocks")


@pytest.fixture
def foreign_relation(foreign_task):
    return TaskRelationFactory(source=foreign_task)


def body(source, target, kind="blocks"):
    return {"source": str(source.pk), "target": str(target.pk), "type": kind}


@pytest.mark.parametrize("kind", TYPES)
def test_two_tasks_are_related(api, pair, kind):
    answer = api.post(RELATIONS, body(*pair, kind))
    assert answer.status_code == 201
    assert answer.json() == {"id": answer.json()["id"], **body(*pair, kind)}
    assert api.get(RELATIONS).json()["results"] == [answer.json()]


def test_two_tasks_may_have_each_relation_once(api, pair):
    assert [api.post(RELATIONS, body(*pair, kind)).status_code for kind in TYPES] == [201, 201, 201]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("turned", [False, True], ids=["as it was", "the other way round"])
def test_told_twice_it_is_refused(api, pair, nothing_changes, kind, turned):
    assert api.post(RELATIONS, body(*pair, kind)).status_code == 201
    with nothing_changes():
        answer = api.post(RELATIONS, body(*(pair[::-1] if turned else pair), kind))
    assert answer.status_code == 400
    assert [error["detail"] for error in answer.json()["errors"]["non_field_errors"]] == [
        "These tasks have this relation already."
    ]


def test_to_itself_it_is_refused(api, pair, nothing_changes):
    with nothing_changes():
        answer = api.post(RELATIONS, body(pair[0], pair[0]))
    assert answer.status_code == 400
    assert [error["detail"] for error in answer.json()["errors"]["non_field_errors"]] == [
        "A task has no relation to itself."
    ]


def test_across_two_of_ones_projects_it_is_refused(api, pair, member, nothing_changes):
    elsewhere = TaskFactory(project=ProjectFactory(owner=member))
    for source, target in ((pair[0], elsewhere), (elsewhere, pair[0])):
        with nothing_changes():
            answer = api.post(RELATIONS, body(source, target))
        assert answer.status_code == 400
        assert answer.json()["errors"]["non_field_errors"][0]["code"] == "other_project"


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_foreign_task_is_refused_as_a_missing_one(api, pair, foreign_task, nothing_changes, side):
    answers = []
    for value in (str(foreign_task.pk), NO_TASK):
        with nothing_changes():
            answer = api.post(RELATIONS, body(*pair) | {side: value})
        answers.append((answer.status_code, answer.content.decode().replace(value, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 400


@pytest.mark.parametrize("name", ["source", "target", "type"])
@pytest.mark.parametrize("value", [None, "", "x", 1, 10**30, 1.5, True, [], {}, ["blocks"], "PROJ-1"])
def test_what_is_no_task_or_no_type_is_refused(api, pair, nothing_changes, name, value):
    with nothing_changes():
        answer = api.post(RELATIONS, body(*pair) | {name: value})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


def test_a_relation_needs_all_three(api, pair, nothing_changes):
    with nothing_changes():
        answer = api.post(RELATIONS, {})
    assert (answer.status_code, set(answer.json()["errors"])) == (400, {"source", "target", "type"})


@pytest.mark.parametrize("method", ["get", "patch", "put"])
def test_a_relation_is_made_and_deleted_alone(api, relation, nothing_changes, method):
    with nothing_changes():
        answer = getattr(api, method)(f"{RELATIONS}{relation.pk}/", {"type": "duplicates"} if method != "get" else None)
    assert answer.status_code == 405


@pytest.mark.parametrize(
    ("who", "made", "deleted"),
    [("viewer", 403, 403), ("member", 201, 204), ("admin", 201, 204), ("owner", 201, 204), ("outsider", 400, 404)],
)
def test_members_relate_viewers_look_and_outsiders_see_nothing(as_user, request, pair, relation, who, made, deleted):
    client = as_user(request.getfixturevalue(who))
    assert client.post(RELATIONS, body(*pair, "relates_to")).status_code == made
    assert client.delete(f"{RELATIONS}{relation.pk}/").status_code == deleted
    assert TaskRelation.objects.filter(type="relates_to").exists() == (made == 201)
    assert TaskRelation.objects.filter(pk=relation.pk).exists() == (deleted != 204)


def test_a_foreign_relation_is_404_as_a_missing_one(api, foreign_relation, nothing_changes):
    with nothing_changes():
        foreign, missing = (api.delete(f"{RELATIONS}{pk}/") for pk in (foreign_relation.pk, NO_TASK))
    assert (foreign.status_code, foreign.content) == (404, missing.content)


@pytest.mark.parametrize("name", ["1", "PROJ-1", "x", "%00", "🎟️"])
def test_a_name_that_is_no_id_gives_404(api, relation, name):
    assert api.delete(f"{RELATIONS}{name}/").status_code == 404


def test_nobody_reads_or_writes_without_a_token(anonymous, relation, pair, nothing_changes):
    with nothing_changes():
        answers = [
            anonymous.get(RELATIONS),
            anonymous.post(RELATIONS, body(*pair)),
            anonymous.delete(f"{RELATIONS}{relation.pk}/"),
        ]
    assert [answer.status_code for answer in answers] == [401] * 3


class TestList:
    @pytest.fixture
    def relations(self, project, member, foreign_relation):
        one, two, three = TaskFactory.create_batch(3, project=project)
        elsewhere = TaskFactory(project=ProjectFactory(key="ELSE", owner=member))
        return {
            "one blocks two": TaskRelationFactory(source=one, target=two, type="blocks"),
            "two relates to three": TaskRelationFactory(source=two, target=three, type="relates_to"),
            "three duplicates one": TaskRelationFactory(source=three, target=one, type="duplicates"),
            "elsewhere": TaskRelationFactory(source=elsewhere, type="blocks"),
        }

    @pytest.fixture
    def find(self, api, relations):
        names = {str(relation.pk): name for name, relation in relations.items()}

        def find(**query):
            answer = api.get(RELATIONS, query)
            assert answer.status_code == 200, answer.content
            assert answer.json()["count"] == len(answer.json()["results"])
            return [names[row["id"]] for row in answer.json()["results"]]

        return find

    def test_all_of_ones_projects_come_oldest_first_and_none_of_others(self, find, relations):
        assert find() == list(relations)

    def test_filters_narrow(self, find, relations, project):
        one = relations["one blocks two"].source
        assert find(project="PROJ") == find(project=str(project.pk)) == list(relations)[:3]
        assert find(task=str(one.pk)) == find(task=one.key) == ["one blocks two", "three duplicates one"]
        assert find(type="blocks") == ["one blocks two", "elsewhere"]
        assert find(type="blocks", project="ELSE") == ["elsewhere"]
        assert find(type="duplicates", task=one.key) == ["three duplicates one"]

    @pytest.mark.parametrize(
        "query",
        [
            {"project": "NOPE"},
            {"project": NO_TASK},
            {"project": "SECRET"},
            {"task": "PROJ-99"},
            {"task": "PROJ-99999999999999999999"},
            {"task": "SECRET-1"},
            {"task": "\0"},
            {"type": "likes"},
            {"source": NO_TASK},
            {"ordering": "type"},
            {"limit": "0"},
        ],
    )
    def test_what_it_does_not_know_it_refuses(self, api, relations, query):
        answer = api.get(RELATIONS, query)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, list(query))

    def test_pages_neither_repeat_nor_skip(self, api, find, relations):
        pages = [api.get(RELATIONS, {"limit": 3, "offset": offset}).json()["results"] for offset in (0, 3)]
        assert [row["id"] for page in pages for row in page] == [str(row.pk) for row in relations.values()]

    def test_a_viewer_reads_them(self, as_user, viewer, relations):
        assert as_user(viewer).get(RELATIONS).json()["count"] == 3
