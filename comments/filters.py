from comments.models import Comment
from projects.filters import NamedFilter
from projects.models import Project
from tasks.models import Task
from tickethub.filters import AskedFilterSet


class CommentFilter(AskedFilterSet):
    project = NamedFilter(Project, field_name="task__project", help_text="Id or key of a project.")
    task = NamedFilter(Task, help_text="Id or key of a task.")

    class Meta:
        model = Comment
        fields = []
