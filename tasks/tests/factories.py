import factory

from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from tasks.models import Task, TaskRelation


class TaskFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Task

    project = factory.SubFactory(ProjectFactory)
    title = factory.Sequence(lambda n: f"Task {n}")
    created_by = factory.SubFactory(UserFactory)


class TaskRelationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = TaskRelation

    source = factory.SubFactory(TaskFactory)
    target = factory.SubFactory(TaskFactory, project=factory.SelfAttribute("..source.project"))
    type = TaskRelation.Type.BLOCKS
