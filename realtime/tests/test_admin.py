import pytest

from accounts.tests.test_admin import Desk
from projects.tests.factories import ProjectFactory
from realtime.models import Event, Stream
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def task():
    return TaskFactory(project=ProjectFactory(key="TEA"), title="Boil <b>water</b>")


def found(response):
    return list(response.context["cl"].result_list)


@pytest.mark.parametrize("model", [Event, Stream])
def test_log_is_not_written(desk, task, model):
    row = model.objects.first()
    assert desk.open(model, "add").status_code == 403
    for page in ("change", "delete"):
        assert desk.client.post(desk.url(row, page), {"post": "yes", "head": 0, "type": "x"}).status_code == 403
    before = list(model.objects.order_by("pk").values())
    desk.act("delete_selected", *model.objects.all(), post="yes")
    assert list(model.objects.order_by("pk").values()) == before
    assert "Save" not in desk.open(row).content.decode()


def test_event_is_shown_with_its_json_in_lines(desk, task):
    response = desk.save(task, title="Boil milk")
    event = Event.objects.get(request_id=response["X-Request-ID"])
    page = desk.open(event).content.decode()
    assert "Boil &lt;b&gt;water&lt;/b&gt;&quot;,\n    &quot;Boil milk&quot;" in page
    assert f"@{desk.user.username}" in page
    assert "TEA" in page


@pytest.mark.parametrize("of", ["object_id", "request_id", "project_id", "actor_id", "task_id", "id"])
def test_events_are_found_by_the_ids_in_them(desk, task, of):
    response = desk.save(task, title="Boil milk")
    TaskFactory()
    event = Event.objects.get(request_id=response["X-Request-ID"])
    results = found(desk.open(Event, "changelist", q=str(getattr(event, of))))
    assert event in results
    assert len(results) < Event.objects.count()


def test_events_are_found_by_type_and_project(desk, task):
    TaskFactory()
    assert {event.type for event in found(desk.open(Event, "changelist", q="task.created"))} == {"task.created"}
    project = {event.project_id for event in found(desk.open(Event, "changelist", q="tea"))}
    assert project == {task.project_id}
    assert found(desk.open(Stream, "changelist", q="TEA")) == [Stream.objects.get(pk=task.project_id)]
    assert found(desk.open(Event, "changelist", q="nonsense")) == []


def test_events_are_filtered(desk, task):
    events = found(desk.open(Event, "changelist", type="task.created"))
    assert [event.object_id for event in events] == [task.pk]
    project_id = task.project_id
    task.project.delete()
    assert {event.project_id for event in found(desk.open(Event, "changelist", project_stands="no"))} == {project_id}
    assert found(desk.open(Stream, "changelist", project_stands="yes")) == []
    assert found(desk.open(Stream, "changelist", project_stands="nonsense")) == list(Stream.objects.all())


def test_log_of_a_deleted_project_is_shown_by_its_id(desk, task):
    project_id = task.project_id
    task.project.delete()
    assert str(project_id) in desk.open(Event, "changelist").content.decode()
