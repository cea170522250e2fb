"""The board of a project: how its tasks are numbered, and in which order they stand."""

from django.apps import apps
from django.db import models, transaction

from projects.models import Project
from tasks import positions
from tickethub.errors import Crowded, Overtaken
from tickethub.models import ProjectCounter
from tickethub.prepared import Prepared

LAST_POSITION = Prepared(lambda project: Board(project).places.reverse()[:1])


class Board(ProjectCounter, models.Model):
    """The counter of a project's task numbers, and the lock on the order of its tasks.

    It is a row of its own since a stale `project.save()` would set back a counter kept there.
    """

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True)
    last_number = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(db_default=0, help_text="How many of those numbers are of deleted tasks.")

    counts = "last_number"
    LONGEST_POSITION = 200

    def __str__(self):
        return f"{self.project_id} at {self.last_number}"

    @classmethod
    def locked(cls, project_id):
        """The board of a project, locked until the transaction ends."""
        boards = cls.objects.select_for_update().filter(pk=project_id)
        if (board := boards.first()) is None:
            cls.objects.get_or_create(project_id=project_id)
            board = boards.get()
        return board

    @classmethod
    @transaction.atomic
    def recount(cls, project_id):
        """Count the deleted tasks anew, as the numbers that no task has. Gives whether there was another count.

        A process of before this was counted may delete some while it is replaced, and so may SQL by hand.
        """
        board = cls.locked(project_id)
        there = board.tasks.aggregate(there=models.Count("pk"))["there"]  # `count` would ask the board
        before, board.deleted = board.deleted, board.last_number - there
        board.save(update_fields=["deleted"])
        return before != board.deleted

    @property
    def tasks(self):
        return apps.get_model("tasks", "Task").objects.filter(project=self.project_id)  # whose module imports this one

    @property
    def places(self):
        return self.tasks.order_by("position").values_list("position", flat=True)

    def last_place(self):
        """The place after all tasks."""
        return positions.after(LAST_POSITION.first(self.project_id))

    def place_beside(self, task, *, before, mover):
        """The place just before or just after a task, for `mover`, which leaves its own."""
        places = self.places.exclude(pk=mover.pk)
        if before:
            neighbour = places.filter(position__lt=task.position).last()
        else:
            neighbour = places.filter(position__gt=task.position).first()
        if neighbour is None:
            return positions.before(task.position) if before else positions.after(task.position)
        place = positions.between(*sorted([task.position, neighbour]))
        if len(place) <= self.LONGEST_POSITION:
            return place
        self.respread(place, mover)
        return self.place_beside(self.tasks.get(pk=task.pk), before=before, mover=mover)

    def values_of_move(self, task, *, status=None, before=None, after=None):
        """What a task gets that goes beside another on the board, or last, and into a status.

        Raises Overtaken if the other one was deleted while this waited for the board.
        """
        values = {} if status in {None, task.status} else {"status": status}
        if before or after:
            beside = self.tasks.filter(pk=(before or after).pk).first()
            if beside is None:
                raise Overtaken
            values["position"] = self.place_beside(beside, before=before is not None, mover=task)
        elif values:
            values["position"] = self.last_place()
        return values

    def respread(self, gap, mover):
        """Give the tasks around a gap that is used up other places, in the same order.

        Of them as few as get short ones: the more change, the longer it has to be until the next time. Raises Crowded
        while others hold some of them.
        """
        tasks, size = self.tasks.exclude(pk=mover.pk), 1
        while True:
            below = list(tasks.filter(position__lt=gap).order_by("-position")[: size + 1])
            above = list(tasks.filter(position__gt=gap).order_by("position")[: size + 1])
            around = [*below[size - 1 :: -1], *above[:size]]
            low = below[size].position if below[size:] else positions.before(around[0].position)
            high = above[size].position if above[size:] else positions.after(around[-1].position)
            taken = {mover.position, *(task.position for task in around)}
            places = positions.spread(low, high, len(around), taken)
            room = self.LONGEST_POSITION - max(map(len, places))
            if room >= self.LONGEST_POSITION // 8 + len(around) // 8 or not (below[size:] or above[size:]):
                break
            size *= 2
        places = dict(zip([task.pk for task in around], places, strict=True))
        needed = self.tasks.filter(pk__in=[mover.pk, *places])
        locked = {task.pk: task for task in needed.select_for_update(skip_locked=True, no_key=True)}
        if not places.keys() <= locked.keys():  # who holds the others may wait for this board
            raise Crowded(lambda: list(needed.locked().values_list("pk")))
        for pk, place in places.items():
            locked[pk].position = place
            locked[pk].save(update_fields=["position"])
