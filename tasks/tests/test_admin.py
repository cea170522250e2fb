import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.tests.factories import UserFactory
from accounts.tests.test_admin import Desk, errors, told, written
from projects.models import Project
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory
from projects.tests.test_admin import ARCHIVED
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory, TaskRelationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def project():
    return ProjectFactory(key="TEA")


@pytest.fixture
def task(project):
    return TaskFactory(project=project, title="Boil water", description="Bring a *kettle*.\n\nWait.\n")


def test_task_is_made_as_one_change_by_the_one_who_asks(desk, project):
    label, member = LabelFactory(project=project), MembershipFactory(project=project).user
    response = desk.save(
        Task, "add", project=project.pk, title="Boil water", labels=[label.pk], assignees=[member.pk], priority=3
    )
    task = Task.objects.get()
    assert written(desk, response) == [("task.created", task.pk, {})]
    assert (task.key, task.version, task.created_by) == ("TEA-1", 1, desk.user)
    assert (task.status.slug, list(task.labels.all()), list(task.assignees.all())) == ("todo", [label], [member])


def test_title_labels_and_assignees_changed_together_are_one_change(desk, project, task):
    label, member = LabelFactory(project=project), MembershipFactory(project=project).user
    response = desk.save(task, title="Boil milk", labels=[label.pk], assignees=[member.pk])
    changes = {
        "title": ["Boil water", "Boil milk"],
        "labels": [[], [str(label.pk)]],
        "assignees": [[], [str(member.pk)]],
    }
    assert written(desk, response) == [("task.updated", task.pk, changes)]
    task.refresh_from_db()
    assert (task.title, task.version) == ("Boil milk", 2)


def test_labels_changed_alone_are_one_change(desk, project, task):
    labels = LabelFactory.create_batch(2, project=project)
    task.labels.set(labels[:1])
    version = Task.objects.get(pk=task.pk).version
    response = desk.save(task, labels=[labels[1].pk])
    changes = {"labels": [[str(labels[0].pk)], [str(labels[1].pk)]]}
    assert written(desk, response) == [("task.updated", task.pk, changes)]
    assert Task.objects.get(pk=task.pk).version == version + 1


def test_what_was_chosen_is_still_chosen_where_the_page_comes_back_with_an_error(desk, project, task):
    task.labels.add(LabelFactory(project=project, name="hot"))
    cold, member = LabelFactory(project=project, name="cold"), MembershipFactory(project=project).user
    response = desk.save(task, title="", labels=[cold.pk], assignees=[member.pk])
    form = response.context["adminform"].form
    assert "title" in form.errors
    assert f'<option value="{cold.pk}" selected>' in str(form["labels"])
    assert "hot" not in str(form["labels"])
    assert f'<option value="{member.pk}" selected>' in str(form["assignees"])


def test_task_saved_as_it_was_opened_is_not_changed(desk, project, task):
    task.labels.add(LabelFactory(project=project))
    before = Task.objects.values().get(pk=task.pk)
    assert written(desk, desk.save(task)) == []
    assert Task.objects.values().get(pk=task.pk) == before


@pytest.mark.parametrize("description", ["\n\nOne\nTwo  \n\n", "One\r\nTwo\r\n", "", "    code\n"])
def test_markdown_is_kept_as_it_is(desk, task, description):
    Task.objects.filter(pk=task.pk).update(description=description)
    assert [list(changes) for *_, changes in written(desk, desk.save(task, title="Boil milk"))] == [["title"]]
    assert Task.objects.get(pk=task.pk).description == description


def test_markdown_written_in_a_browser_has_the_ends_of_lines_of_the_api(desk, task):
    desk.save(task, description="One\r\n\r\nTwo \r\n")
    assert Task.objects.get(pk=task.pk).description == "One\n\nTwo \n"


def test_task_that_was_changed_meanwhile_is_not_overwritten(desk, task):
    opened = desk.open(task)
    Task.objects.filter(pk=task.pk).update(title="Boil milk")
    response = desk.save(task, opened=opened, priority=4)
    assert response.context["adminform"].form.non_field_errors() == [
        "This task was changed since you opened this page. Open it anew."
    ]
    assert Task.objects.values_list("title", "priority").get(pk=task.pk) == ("Boil milk", 0)


def test_task_done_in_the_admin_is_completed(desk, project, task):
    response = desk.save(task, status=project.statuses.get(slug="done").pk)
    assert written(desk, response) == [("task.updated", task.pk, {"status": ["todo", "done"]})]
    task.refresh_from_db()
    assert task.completed_at


def test_what_a_task_counts_by_itself_is_not_written(desk, task):
    before = Task.objects.values("number", "position", "version", "project", "created_by").get(pk=task.pk)
    values = {"number": 99, "position": "zz", "version": 99, "project": ProjectFactory().pk}
    assert written(desk, desk.save(task, **values, created_by=UserFactory().pk, completed_at="2031-12-10")) == []
    assert Task.objects.values("number", "position", "version", "project", "created_by").get(pk=task.pk) == before


@pytest.mark.parametrize("page", ["add", "change"])
def test_relations_of_another_project_are_refused(desk, project, task, page):
    other = TaskFactory()
    values = {
        "status": other.project.statuses.get(slug="todo").pk,
        "labels": [LabelFactory(project=other.project, name="foreign").pk],
        "assignees": [UserFactory(username="stranger").pk],
        "parent": other.pk,
    }
    of = task if page == "change" else Task
    response = desk.save(of, page, **{"project": project.pk, "title": "Boil milk", **values})
    for words in (
        "This status is not one of TEA.",
        "Not labels of TEA: foreign.",
        "Not members of TEA: @stranger.",
        "This task is not one of TEA.",
    ):
        assert words in errors(response)
    assert Task.objects.filter(title="Boil milk").count() == 0


def test_task_does_not_come_below_itself(desk, project, task):
    child = TaskFactory(project=project, parent=task)
    grandchild = TaskFactory(project=project, parent=child)
    for parent in (task, child, grandchild):
        assert "A task cannot be below itself." in errors(desk.save(task, parent=parent.pk))
    assert desk.save(grandchild, parent=task.pk).status_code == 302


def test_nonsense_in_the_form_is_refused(desk, task):
    unknown = str(uuid7())
    values = {"status": unknown, "labels": [unknown], "due_date": "31.31.31", "priority": 9, "title": ""}
    response = desk.save(task, parent=unknown, **values)
    assert set(response.context["adminform"].form.errors) == {*values, "parent"}
    assert "project" in desk.save(Task, "add", project=unknown, title="x").context["adminform"].form.errors


def test_task_is_deleted_with_one_event_and_its_children_stay(desk, project, task):
    child = TaskFactory(project=project, parent=task)
    response = desk.delete(task)
    assert written(desk, response) == [
        ("task.updated", child.pk, {"parent": [str(task.pk), None]}),
        ("task.deleted", task.pk, {}),
    ]


def test_hundred_tasks_are_deleted_at_once(desk, project):
    tasks = TaskFactory.create_batch(100, project=project, created_by=desk.user)
    response = desk.delete(*tasks)
    assert told(response) == ["Successfully deleted 100 tasks."]
    assert written(desk, response) == [("task.deleted", task.pk, {}) for task in tasks]


def test_page_before_a_deletion_takes_as_many_queries_for_many(desk, project, task, django_assert_num_queries):
    TaskRelationFactory(source=task)
    with CaptureQueriesContext(connection) as queries:
        desk.open(task, "delete")
    TaskRelationFactory.create_batch(5, source=task)
    with django_assert_num_queries(len(queries)):
        desk.open(task, "delete")


def test_staff_who_may_look_looks(client, task):
    user = UserFactory(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_task"))
    client.force_login(user)
    page = client.get(Desk.url(task))
    assert "Boil water" in page.content.decode()
    assert "_save" not in page.content.decode()
    assert client.post(Desk.url(task), {"title": "Boil milk"}).status_code == 403


@pytest.mark.parametrize("term", ["boil", "TEA-1", "tea-1", "tea", "kettle"])
def test_task_is_found_by_its_words_and_its_key(desk, task, term):
    TaskFactory(title="Something else")
    assert list(desk.open(Task, "changelist", q=term).context["cl"].result_list) == [task]


def test_task_is_found_by_its_id(desk, task):
    assert list(desk.open(Task, "changelist", q=str(task.pk)).context["cl"].result_list) == [task]


def test_task_is_offered_by_its_key_where_one_is_chosen(desk, task):
    query = {"app_label": "tasks", "model_name": "taskrelation", "field_name": "source", "term": "TEA-1"}
    answer = desk.client.get(reverse("admin:autocomplete"), query).json()
    assert answer["results"] == [{"id": str(task.pk), "text": "TEA-1 Boil water"}]


# --- Relations --------------------------------------------------------------------------------------------------


def test_relation_is_made_and_deleted_with_events(desk, project, task):
    other = TaskFactory(project=project)
    response = desk.save(TaskRelation, "add", source=task.pk, target=other.pk, type="blocks")
    relation = TaskRelation.objects.get()
    assert written(desk, response) == [("relation.created", relation.pk, {})]
    assert desk.client.post(desk.url(relation), {"type": "duplicates"}).status_code == 403
    assert written(desk, desk.delete(relation)) == [("relation.deleted", relation.pk, {})]


def test_relations_are_made_and_deleted_on_the_page_of_a_task(desk, project, task):
    others = TaskFactory.create_batch(2, project=project)
    old = TaskRelationFactory(source=others[1], target=task)
    new = {
        "relations_from-TOTAL_FORMS": 1,
        "relations_from-0-target": others[0].pk,
        "relations_from-0-type": "blocks",
        "relations_to-0-DELETE": "on",
    }
    response = desk.save(task, title="Boil milk", **new)
    assert sorted(kind for kind, *_ in written(desk, response)) == [
        "relation.created",
        "relation.deleted",
        "task.updated",
    ]
    assert (task.relations_from.get().target, TaskRelation.objects.filter(pk=old.pk).exists()) == (others[0], False)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("other project", "Both tasks have to be in one project."),
        ("itself", "A task has no relation to itself."),
        ("again", "These tasks have this relation already."),
        ("", "This field is required."),
    ],
)
def test_relations_that_cannot_be_are_refused(desk, task, target, words):
    known = TaskRelationFactory(source=task, type="blocks")
    pk = {"other project": TaskFactory().pk, "itself": task.pk, "again": known.target.pk, "": ""}[target]
    response = desk.save(TaskRelation, "add", source=task.pk, target=pk, type="blocks")
    assert words in errors(response)
    rows = {"relations_from-TOTAL_FORMS": 2, "relations_from-1-target": pk, "relations_from-1-type": "blocks"}
    assert words in errors(desk.save(task, **rows))
    assert TaskRelation.objects.count() == 1


def test_nothing_in_an_archived_project_changes(desk, project, task):
    relation = TaskRelationFactory(source=task)
    other = TaskFactory()
    Project.objects.filter(pk=project.pk).update(archived_at=timezone.now())
    for response in (
        desk.save(Task, "add", project=project.pk, title="Boil milk"),
        desk.save(task, title="Boil milk"),
        desk.delete(task),
        desk.delete(task, other),
        desk.save(TaskRelation, "add", source=task.pk, target=relation.target.pk, type="duplicates"),
        desk.delete(relation),
    ):
        assert told(response)[-1:] == ARCHIVED
        assert written(desk, response) == []
    assert Task.objects.filter(title="Boil milk").count() == 0


# --- Actions ---


@pytest.fixture
def tasks(project):
    """Three of one project and one of another, all open."""
    return [*TaskFactory.create_batch(3, project=project), TaskFactory()]


def test_tasks_of_many_projects_are_completed_and_reopened_each_as_one_change(desk, tasks):
    events = written(desk, desk.act("complete", *tasks))
    assert {(kind, pk, *changes["status"]) for kind, pk, changes in events} == {
        ("task.updated", task.pk, "todo", "done") for task in tasks
    }
    assert len(events) == len(tasks)
    assert not Task.objects.filter(completed_at=None).exists()
    assert set(Task.objects.values_list("version", flat=True)) == {2}
    assert len(written(desk, desk.act("reopen", *tasks))) == len(tasks)
    assert set(Task.objects.values_list("status__slug", "completed_at")) == {("todo", None)}


def test_a_priority_is_given_to_those_that_have_another(desk, tasks):
    Task.objects.filter(pk=tasks[0].pk).update(priority=Task.Priority.HIGH)
    response = desk.act("prioritize", *tasks, priority=str(Task.Priority.HIGH))
    assert told(response) == ["Changed: 3."]
    assert set(Task.objects.values_list("priority", flat=True)) == {Task.Priority.HIGH}


@pytest.mark.parametrize(
    ("priority", "words"), [("", "Choose a priority beside the action."), ("7", "No action selected.")]
)
def test_what_is_no_priority_changes_nothing(desk, tasks, priority, words):
    assert told(desk.act("prioritize", *tasks, priority=priority)) == [words]
    assert set(Task.objects.values_list("version", flat=True)) == {1}


def test_tasks_are_unassigned(desk, tasks):
    for task in tasks[:2]:
        task.assignees.add(MembershipFactory(project=task.project).user)
    events = written(desk, desk.act("unassign", *tasks))
    assert [(kind, set(changes)) for kind, _, changes in events] == [("task.updated", {"assignees"})] * 2
    assert not Task.assignees.through.objects.exists()


@pytest.mark.parametrize("action", ["complete", "prioritize", "unassign"])
def test_nothing_is_changed_where_one_project_is_archived(desk, tasks, action):
    for task in tasks:
        task.assignees.add(MembershipFactory(project=task.project).user)
    Project.objects.filter(pk=tasks[-1].project_id).update(archived_at=timezone.now())
    response = desk.act(action, *tasks, priority="4")
    assert told(response) == ARCHIVED
    assert written(desk, response) == []
    assert set(Task.objects.values_list("version", "priority", "status__slug")) == {(2, 0, "todo")}


def test_a_project_without_a_status_to_complete_with_is_named(desk, tasks):
    tasks[-1].project.statuses.filter(category="done").delete()
    assert told(desk.act("complete", *tasks)) == [f"{tasks[-1].project} has no such status."]
    assert not Task.objects.exclude(completed_at=None).exists()


def test_an_action_takes_as_many_queries_for_thirty_tasks_as_for_one(desk, project):
    found = []
    for count in (1, 30):
        some = TaskFactory.create_batch(count, project=project)
        with CaptureQueriesContext(connection) as queries:
            desk.act("complete", *some)
        found.append(len(queries))
    assert found[0] == found[1]
