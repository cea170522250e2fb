import factory

from accounts.tests.factories import UserFactory
from projects.models import Invitation, Label, Membership, Project, Role, Status


class ProjectFactory(factory.django.DjangoModelFactory):
    """A project with its default statuses; `ProjectFactory(member=user, admin=other)` lets people in by role."""

    class Meta:
        model = Project
        skip_postgeneration_save = True

    key = factory.Sequence(lambda n: f"P{n}X"[:10])
    name = factory.LazyAttribute(lambda project: f"Project {project.key}")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        people = {role: kwargs.pop(role.value) for role in Role if role.value in kwargs}
        project = super()._create(model_class, *args, **kwargs)
        for role, user in people.items():
            Membership.objects.create(project=project, user=user, role=role)
        return project


class MembershipFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Membership

    project = factory.SubFactory(ProjectFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.MEMBER


class StatusFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Status

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"Status {n}")
    category = Status.Category.TODO
    position = factory.Sequence(lambda n: 10 + n)


class LabelFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Label

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"label {n}")


class InvitationFactory(factory.django.DjangoModelFactory):
    """An invitation that still knows its `token`."""

    class Meta:
        model = Invitation

    project = factory.SubFactory(ProjectFactory)
    email = factory.Sequence(lambda n: f"guest{n}@example.org")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        invitation = model_class(*args, **kwargs)
        invitation.token = invitation.make_token()
        invitation.save()
        return invitation
