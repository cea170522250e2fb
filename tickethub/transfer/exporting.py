"""A project as JSON and as CSV, in pieces: never more of it in memory than a few hundred tasks."""

from collections import defaultdict

from django.db.models import F

from comments.models import Comment
from projects.models import Project
from tasks.models import Task, TaskRelation
from tasks.serializers import TaskSerializer
from tickethub.projections import Projection, as_json
from tickethub.transfer.cells import escape, join, line
from tickethub.transfer.native import COLUMNS, VERSION

AT_ONCE = 200  # tasks, with their comments
SHOWN = Projection.of(TaskSerializer)
LEFT_OUT = {"project", "number", "version"}  # of a task: the key says it, or it is of no use elsewhere


class Export:
    """What `user` may see of a project. It begins with the tasks there are now; what changes on the way may show.

    Each piece is read by itself, so that nothing is held while a slow reader takes it in. Whoever loses the project
    meanwhile gets no further: Project.DoesNotExist.
    """

    def __init__(self, project, user=None):
        self.project, self.user = project, user
        self.last = project.tasks.order_by("number").values_list("number", flat=True).last() or 0

    def read(self):
        """Look at what all tasks share: people, labels, statuses, as they are now."""
        people = self.project.memberships.values_list("user_id", "user__username", "user__email").order_by("pk")
        self.people = {str(pk): {"id": pk, "username": name, "email": email} for pk, name, email in people}
        labels = self.project.labels.order_by("name", "pk").values("id", "name", "color")
        self.labels = {str(label["id"]): label for label in labels}
        statuses = self.project.statuses.order_by("position", "pk")
        self.statuses = {
            each["slug"]: each for each in statuses.values("slug", "name", "category", "position", "is_default")
        }

    def check(self):
        """Raise Project.DoesNotExist where `user` sees the project no more. What was read is told after that alone."""
        if self.user and not Project.objects.visible_to(self.user).filter(pk=self.project.pk).exists():
            raise Project.DoesNotExist

    def pieces(self):
        """Lists of tasks as objects, by number."""
        number = 0
        while True:
            self.read()
            left = self.project.tasks.filter(number__gt=number, number__lte=self.last).order_by("number")
            shown = left.with_all_shown().annotate(parent_number=F("parent__number"))
            rows = list(shown.values_list(*SHOWN.columns, "parent_number")[:AT_ONCE])
            tasks = self.with_all_that_hangs_on([(SHOWN.show(row[:-1]), row[-1]) for row in rows])
            self.check()
            yield tasks
            if len(rows) < AT_ONCE:
                return
            number = SHOWN.show(rows[-1][:-1])["number"]

    def with_all_that_hangs_on(self, tasks):
        ids = [task["id"] for task, _ in tasks]
        comments, relations = defaultdict(list), defaultdict(list)
        columns = ("task_id", "id", "author_id", "body", "created_at", "edited_at")
        for task, *rest in Comment.objects.filter(task__in=ids).order_by("created_at", "pk").values_list(*columns):
            comments[task].append(dict(zip(columns[1:], rest, strict=True)))
        kinds = TaskRelation.objects.filter(source__in=ids).order_by("created_at", "pk")
        for task, kind, number in kinds.values_list("source_id", "type", "target__number"):
            relations[task].append({"type": kind, "target": Task.key_of(self.project.key, number)})
        return [
            {name: value for name, value in task.items() if name not in LEFT_OUT}
            | {
                "parent": parent and Task.key_of(self.project.key, parent),
                "assignees": [self.person(each) for each in task["assignees"]],
                "labels": sorted(self.labels[each]["name"] for each in task["labels"] if each in self.labels),
                "created_by": self.person(task["created_by"]),
                "relations": relations[task["id"]],
                "comments": [self.comment(**each) for each in comments[task["id"]]],
            }
            for task, parent in tasks
        ]

    def comment(self, author_id, **rest):
        return {**rest, "author": self.person(author_id)}

    def person(self, pk):
        """Who that is, as far as members may know: of those who have left, the id."""
        return None if pk is None else self.people.get(str(pk), {"id": pk})

    def as_json(self):
        self.read()
        project = {name: getattr(self.project, name) for name in ("key", "name", "description")}
        head = {"tickethub": VERSION, "project": project, "statuses": list(self.statuses.values())}
        head["labels"] = [{"name": label["name"], "color": label["color"]} for label in self.labels.values()]
        self.check()
        yield as_json(head)[:-1] + b',"tasks":['
        mark = b"\n"
        for tasks in self.pieces():
            if tasks:
                yield mark + b",\n".join(map(as_json, tasks))
                mark = b",\n"
        yield b"\n]}\n"

    def as_csv(self):
        yield line(COLUMNS).encode()
        for tasks in self.pieces():
            if tasks:
                yield "".join(line(map(escape, self.cells(task))) for task in tasks).encode()

    def cells(self, task):
        """The cells of a line, of a task as an object."""
        status = self.statuses.get(task["status"], {})
        colors = {label["name"]: label["color"] for label in self.labels.values()}
        composed = {
            "status_name": status.get("name"),
            "status_category": status.get("category"),
            "assignees": join([word_for(each) for each in task["assignees"]]),
            "labels": join(task["labels"]),
            "label_colors": join([colors[name] for name in task["labels"]]),
            "relations": join([f"{each['type']} {each['target']}" for each in task["relations"]]),
            "created_by": task["created_by"] and word_for(task["created_by"]),
            "comments": as_json(task["comments"]).decode() if task["comments"] else None,
        }
        for column in COLUMNS:
            value = composed[column] if column in composed else task[column]
            yield "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)


def word_for(person):
    """What names a person in a cell: their address, or the id where that is all there is to know."""
    return str(person.get("email") or person["id"])
