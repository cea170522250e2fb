import factory

from accounts.tests.factories import UserFactory
from comments.models import Comment
from tasks.tests.factories import TaskFactory


class CommentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Comment

    task = factory.SubFactory(TaskFactory)
    author = factory.SubFactory(UserFactory)
    body = factory.Sequence(lambda n: f"Comment {n}")
