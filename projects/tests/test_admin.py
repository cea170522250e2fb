import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.models import User
from accounts.tests.factories import UserFactory
from accounts.tests.test_admin import Desk, errors, told, written
from projects.models import Invitation, Label, Membership, Project, Role, Status
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db

ARCHIVED = ["This project is archived: it is read-only until it is restored."]
LAST_OWNER = "A project needs an owner. Give it another one first."


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def owner():
    return UserFactory(username="ada")


@pytest.fixture
def project(owner):
    return ProjectFactory(key="TEA", name="Tea", owner=owner)


def invite(project, email="guest@example.org"):
    invitation = Invitation(project=project, email=email)
    invitation.make_token()
    invitation.save()
    return invitation


# --- Projects ---------------------------------------------------------------------------------------------------


def test_project_made_in_the_admin_has_statuses_and_its_maker_as_owner(desk):
    response = desk.save(Project, "add", key="TEA", name="Tea")
    project = Project.objects.get(key="TEA")
    assert project.statuses.count() == 6
    assert project.memberships.get(user=desk.user).role == Role.OWNER
    assert [kind for kind, *_ in written(desk, response)].count("project.created") == 1


def test_project_made_for_somebody_else_is_theirs(desk, owner):
    response = desk.save(
        Project,
        "add",
        key="TEA",
        name="Tea",
        **{"memberships-TOTAL_FORMS": 1, "memberships-0-user": owner.pk, "memberships-0-role": "owner"},
    )
    assert response.status_code == 302
    memberships = Project.objects.get(key="TEA").memberships.values_list("user", "role")
    assert list(memberships) == [(owner.pk, "owner")]


def test_project_made_for_somebody_who_cannot_log_in_is_its_makers_as_well(desk):
    gone = UserFactory(is_active=False)
    row = {"memberships-TOTAL_FORMS": 1, "memberships-0-user": gone.pk, "memberships-0-role": "owner"}
    assert desk.save(Project, "add", key="TEA", name="Tea", **row).status_code == 302
    assert Project.objects.get(key="TEA").memberships.get(user=desk.user).role == Role.OWNER


def test_maker_of_a_project_who_makes_themselves_a_mere_member_owns_it_all_the_same(desk):
    row = {"memberships-TOTAL_FORMS": 1, "memberships-0-user": desk.user.pk, "memberships-0-role": "member"}
    assert desk.save(Project, "add", key="TEA", name="Tea", **row).status_code == 302
    assert Project.objects.get(key="TEA").memberships.get(user=desk.user).role == Role.OWNER


@pytest.mark.parametrize("key", ["tea", "T", "TEA-1", "ÄÖÜ"])
def test_key_of_a_project_is_checked(desk, key):
    assert "2 to 10 capital letters" in errors(desk.save(Project, "add", key=key, name="Tea"))


def test_name_of_a_project_is_one_line(desk):
    assert "one line" in errors(desk.save(Project, "add", key="TEA", name="Tea\nBcc: everybody"))


def test_key_of_a_project_is_fixed(desk, project):
    response = desk.save(project, key="COFFEE", name="Green tea")
    assert written(desk, response) == [("project.updated", project.pk, {"name": ["Tea", "Green tea"]})]
    project.refresh_from_db()
    assert (project.key, project.name) == ("TEA", "Green tea")


def test_saving_without_a_change_writes_no_event(desk, project):
    Project.objects.filter(pk=project.pk).update(description="One\nTwo \n\n- three\n")
    LabelFactory(project=project)
    assert written(desk, desk.save(project)) == []


@pytest.mark.parametrize("page", ["changelist", "change"])
def test_projects_are_archived_and_restored(desk, project, page):
    response = desk.act("archive", project, page=page)
    assert told(response) == ["Archived: 1."]
    [(kind, pk, changes)] = written(desk, response)
    assert (kind, pk, list(changes)) == ("project.updated", project.pk, ["archived_at"])
    assert "Restored: 1." in told(desk.act("restore", project, page=page))
    project.refresh_from_db()
    assert project.archived_at is None


def test_project_is_deleted_with_all_that_is_in_it(desk, project):
    TaskFactory(project=project)
    invite(project)
    page = desk.open(project, "delete")
    assert "Tasks: 1" in page.content.decode()
    response = desk.delete(project)
    assert response.status_code == 302
    assert written(desk, response) == [("project.deleted", project.pk, {})]
    assert not Project.objects.exists()


def test_staff_who_may_not_delete_tasks_deletes_no_project_with_tasks(client, project):
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="projects"))
    client.force_login(user)
    TaskFactory(project=project)
    assert "your account doesn" in client.get(Desk.url(project, "delete")).content.decode()
    assert client.post(Desk.url(project, "delete"), {"post": "yes"}).status_code == 403
    project.tasks.all().delete()
    assert client.post(Desk.url(project, "delete"), {"post": "yes"}).status_code == 302


def test_hundred_projects_are_deleted_at_once(desk):
    projects = ProjectFactory.create_batch(100)
    response = desk.delete(*projects)
    assert told(response) == ["Successfully deleted 100 projects."]
    assert sorted(written(desk, response)) == sorted(("project.deleted", project.pk, {}) for project in projects)


def test_archived_project_is_deleted_but_not_changed(desk, project):
    Project.objects.filter(pk=project.pk).update(archived_at=timezone.now())
    assert told(desk.save(project, name="Coffee")) == ARCHIVED
    project.refresh_from_db()
    assert project.name == "Tea"
    assert desk.delete(project).status_code == 302
    assert not Project.objects.exists()


def test_page_of_a_project_changes_all_that_is_in_it_with_an_event_for_each(desk, project):
    member = MembershipFactory(project=project, role=Role.VIEWER)
    label = LabelFactory(project=project, name="bug")
    opened = desk.open(project)
    rows = {
        "memberships-1-role": "admin",
        "labels-0-name": "defect",
        "labels-TOTAL_FORMS": 2,
        "labels-1-name": "wish",
        "labels-1-color": "#1f6feb",
        "statuses-0-name": "Pool",
        "statuses-5-DELETE": "on",
    }
    response = desk.save(project, opened=opened, name="Coffee", **rows)
    assert response.status_code == 302
    told_of = written(desk, response)
    assert sorted(kind for kind, *_ in told_of) == [
        "label.created",
        "label.updated",
        "membership.updated",
        "project.updated",
        "status.deleted",
        "status.updated",
    ]
    assert ("membership.updated", member.pk, {"role": ["viewer", "admin"]}) in told_of
    assert ("label.updated", label.pk, {"name": ["bug", "defect"]}) in told_of


def test_page_that_was_opened_before_takes_nothing_back_that_it_does_not_change(desk, project):
    member = MembershipFactory(project=project, role=Role.ADMIN)
    label = LabelFactory(project=project, name="bug", color="#1f6feb")
    person, pages = member.user, {}
    for row in (project, label, person):
        pages[row] = desk.open(row)
    Project.objects.filter(pk=project.pk).update(description="Green")
    Membership.objects.filter(pk=member.pk).update(role=Role.VIEWER)
    Label.objects.filter(pk=label.pk).update(name="defect")
    project.statuses.filter(slug="todo").update(name="Next")
    User.objects.filter(pk=person.pk).update(first_name="Ada")
    [row] = [
        form for form in pages[project].context["inline_admin_formsets"][1].formset if form.instance.slug == "todo"
    ]
    changes = {
        project: {"name": "Coffee", row.add_prefix("position"): 17},
        label: {"color": "#000000"},
        person: {"last_name": "Byron"},
    }
    for row, values in changes.items():
        assert desk.save(row, opened=pages[row], **values).status_code == 302
        row.refresh_from_db()
    member.refresh_from_db()
    assert (project.name, project.description, member.role) == ("Coffee", "Green", Role.VIEWER)
    assert project.statuses.filter(slug="todo", name="Next", position=17).exists()
    assert (label.name, label.color) == ("defect", "#000000")
    assert (person.first_name, person.last_name) == ("Ada", "Byron")


# --- Memberships ------------------------------------------------------------------------------------------------


def test_membership_is_added_changed_and_deleted_with_events(desk, project):
    user = UserFactory()
    response = desk.save(Membership, "add", project=project.pk, user=user.pk, role="viewer")
    membership = project.memberships.get(user=user)
    assert written(desk, response) == [("membership.created", membership.pk, {})]
    response = desk.save(membership, role="admin")
    assert written(desk, response) == [("membership.updated", membership.pk, {"role": ["viewer", "admin"]})]
    assert written(desk, desk.delete(membership)) == [("membership.deleted", membership.pk, {})]


def test_person_and_project_of_a_membership_are_fixed(desk, project, owner):
    membership = project.memberships.get()
    desk.save(membership, user=UserFactory().pk, project=ProjectFactory().pk)
    membership.refresh_from_db()
    assert (membership.user, membership.project) == (owner, project)


def test_person_is_not_let_in_twice(desk, project, owner):
    response = desk.save(Membership, "add", project=project.pk, user=owner.pk, role="viewer")
    assert "already exists" in errors(response)


def test_removed_person_is_unassigned(desk, project):
    membership = MembershipFactory(project=project)
    task = TaskFactory(project=project)
    task.assignees.add(membership.user)
    response = desk.delete(membership)
    assert {kind for kind, *_ in written(desk, response)} == {"task.updated", "membership.deleted"}
    assert not task.assignees.exists()


def attempts_on_the_last_owner(desk, project):
    """Every way to leave a project without an owner."""
    membership = project.memberships.get(role=Role.OWNER)
    other = MembershipFactory(project=project)
    yield desk.save(membership, role="admin")
    yield desk.delete(membership)
    yield desk.delete(membership, other)
    yield desk.save(project, **{"memberships-0-role": "member"})
    yield desk.save(project, **{"memberships-0-DELETE": "on"})
    yield desk.save(membership.user, **{"memberships-0-role": "member"})
    yield desk.save(membership.user, **{"memberships-0-DELETE": "on"})


def test_last_owner_stays_owner(desk, project):
    for count, response in enumerate(attempts_on_the_last_owner(desk, project), 1):
        assert response.status_code == 302
        assert f"@ada in TEA: {LAST_OWNER}" in told(response), count
        assert written(desk, response) == []
        assert project.memberships.filter(role=Role.OWNER).count() == 1
        assert project.memberships.count() == 2


def test_of_two_owners_demoted_together_both_stay(desk, project, owner):
    MembershipFactory(project=project, role=Role.OWNER)
    response = desk.save(project, **{"memberships-0-role": "member", "memberships-1-role": "member"})
    assert LAST_OWNER in told(response)[0]
    assert project.memberships.owning().count() == 2
    assert LAST_OWNER in told(desk.delete(*project.memberships.all()))[-1]
    assert project.memberships.owning().count() == 2


def test_owner_is_replaced_in_one_go(desk, project):
    heir = MembershipFactory(project=project)
    response = desk.save(project, **{"memberships-0-role": "member", "memberships-1-role": "owner"})
    assert response.status_code == 302
    assert project.memberships.owning().get() == heir


def test_memberships_are_edited_on_the_page_of_a_person(desk, project):
    user = UserFactory()
    row = {"memberships-TOTAL_FORMS": 1, "memberships-0-project": project.pk, "memberships-0-role": "member"}
    response = desk.save(user, **row)
    membership = user.memberships.get()
    assert written(desk, response) == [("membership.created", membership.pk, {})]
    response = desk.save(user, first_name="Grace", **{"memberships-0-role": "admin"})
    [(kind, pk, changes)] = written(desk, response)
    assert (kind, pk, changes["role"]) == ("membership.updated", membership.pk, ["member", "admin"])
    assert changes["user"][1]["first_name"] == "Grace"


# --- Labels -----------------------------------------------------------------------------------------------------


def test_label_is_made_and_changed_with_events(desk, project):
    response = desk.save(Label, "add", project=project.pk, name="bug")
    label = project.labels.get()
    assert written(desk, response) == [("label.created", label.pk, {})]
    response = desk.save(label, color="#ff0000")
    assert written(desk, response) == [("label.updated", label.pk, {"color": ["#6b7280", "#ff0000"]})]
    assert "A color such as" in errors(desk.save(label, color="red"))


def test_label_that_somebody_else_made_meanwhile_is_refused(desk, project, monkeypatch):
    LabelFactory(project=project, name="bug")
    assert "already exists" in errors(desk.save(Label, "add", project=project.pk, name="bug"))
    monkeypatch.setattr(Label, "validate_constraints", lambda self, exclude: None)  # as if it had come too early
    response = desk.save(Label, "add", project=project.pk, name="bug")
    assert told(response) == ["Somebody else has just made the same, or removed what this names."]
    assert project.labels.count() == 1


def test_labels_deleted_together_change_each_task_once(desk, project):
    labels = LabelFactory.create_batch(3, project=project)
    task = TaskFactory(project=project)
    task.labels.set(labels)
    response = desk.delete(*labels)
    assert sorted(kind for kind, *_ in written(desk, response)) == ["label.deleted"] * 3 + ["task.updated"]


# --- Invitations ------------------------------------------------------------------------------------------------


def test_invitation_is_shown_without_its_token_and_not_changed(desk, project):
    invitation = invite(project)
    page = desk.open(invitation).content.decode()
    assert "guest@example.org" in page
    assert invitation.token_hash not in page + desk.open(project).content.decode()
    assert desk.client.post(desk.url(invitation), {"email": "other@example.org"}).status_code == 403
    assert desk.open(Invitation, "add").status_code == 403


def test_invitation_is_withdrawn(desk, project):
    invitation, other = invite(project), invite(project)
    assert desk.delete(invitation).status_code == 302
    row = {"invitations-0-DELETE": "on"}
    assert desk.save(project, **row).status_code == 302
    assert not Invitation.objects.filter(pk__in=[invitation.pk, other.pk]).exists()


# --- Archived projects ------------------------------------------------------------------------------------------


def attempts_on_an_archived_project(desk, project):
    membership, status, label = project.memberships.get(), project.statuses.get(slug="done"), project.labels.get()
    user = UserFactory()
    yield desk.save(Membership, "add", project=project.pk, user=user.pk, role="member")
    yield desk.save(membership, role="owner")
    yield desk.delete(membership)
    yield desk.save(membership.user, **{"memberships-0-DELETE": "on"})
    yield desk.save(
        user,
        **{"memberships-TOTAL_FORMS": 1, "memberships-0-project": project.pk, "memberships-0-role": "member"},
    )
    yield desk.save(Status, "add", project=project.pk, name="New", category="todo")
    yield desk.save(status, name="Ready")
    yield desk.delete(status)
    yield desk.act("make_default", status)
    yield desk.save(label, name="wish")
    yield desk.delete(label, LabelFactory())
    yield desk.delete(project.invitations.get())
    yield desk.save(project, **{"labels-0-name": "wish"})


def test_nothing_in_an_archived_project_changes(desk, project):
    LabelFactory(project=project)
    invite(project)
    Project.objects.filter(pk=project.pk).update(archived_at=timezone.now())
    for count, response in enumerate(attempts_on_an_archived_project(desk, project), 1):
        assert response.status_code == 302
        assert told(response)[-1:] == ARCHIVED, count
        assert written(desk, response) == []


def test_person_in_an_archived_project_is_changed_all_the_same(desk, project, owner):
    Project.objects.filter(pk=project.pk).update(archived_at=timezone.now())
    assert desk.save(owner, first_name="Ada").status_code == 302
    assert User.objects.get(pk=owner.pk).first_name == "Ada"
