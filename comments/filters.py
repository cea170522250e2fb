from comments.models import Comment
from projects.filters import NamedFilter, visible
from projects.models import Project
from tasks.models import Task
from tickethub.filters import AskedFilterSet


class CommentFilter(AskedFilterSet):
    project = NamedFilter(field_name="task__project", queryset=visible(Project), help_text="Id or key of a project.")
    task = NamedFilter(queryset=visible(Task), help_text="Id or key of a task.")

    class Meta:
        model = Comment
        fields = []
