"""Taking a file into a project: all of it, or nothing. What is here already is left as it is."""

from collections import Counter
from itertools import batched
from uuid import uuid5

from django.db import connection, transaction
from django.utils import timezone
from rest_framework import serializers

from comments.models import Comment
from projects.models import Label, Status
from tasks import making
from tasks.bulk import SpentId
from tasks.models import LONGEST_TEXT, Task, TaskRelation
from tickethub.models import as_uuid
from tickethub.serializers import CountedListField
from tickethub.transfer.matching import PRIORITY_OF, People, Statuses
from tickethub.transfer.report import Refused, Report, quoted
from tickethub.transfer.rows import day, moment, text

AT_ONCE = 500  # rows between two looks at the progress
MANY = 1_000  # tasks, of which PostgreSQL is to know at once; of fewer it may find out by itself
WRITTEN = [Task, Task.assignees.through, Task.labels.through, TaskRelation, Comment]
COLOR = Label._meta.get_field("color").validators[0]
LONGEST_TITLE = Task._meta.get_field("title").max_length


class TaskFields(serializers.Serializer):
    """What a row has to be, beyond what is looked up."""

    title = serializers.CharField(max_length=LONGEST_TITLE)
    description = serializers.CharField(max_length=LONGEST_TEXT, allow_blank=True, trim_whitespace=False)
    due_date = serializers.DateField(allow_null=True)
    labels = CountedListField(child=serializers.CharField(max_length=50), max_length=100)
    assignees = CountedListField(max_length=100)


class LabelFields(serializers.Serializer):
    name = serializers.CharField(max_length=50)


class CommentFields(serializers.Serializer):
    comments = serializers.CharField(max_length=LONGEST_TEXT, trim_whitespace=False)


class StatusFields(serializers.Serializer):
    slug = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=50)
    category = serializers.ChoiceField(Status.Category.choices)
    position = serializers.IntegerField(min_value=0, max_value=1_000_000, default=1_000)


def take(file, project, by, *, dry_run=False, **options):
    """Import what was read into a project, in a transaction of the caller's, as `by`. Gives the Report.

    `statuses` and `people` map words of the file to a slug, and to a member's address or handle; `attribute` has
    members be the authors of what the file says is theirs; `progress` is called with how many rows are done, and of
    how many; `dry_run` tells what would come of it. Raises Refused where a row cannot be taken. Nothing is done then.
    """
    with transaction.atomic():
        report = Import(file, project, by, **options).run()
        report.dry_run = dry_run
        transaction.set_rollback(dry_run)
    return report


class Import:
    def __init__(self, file, project, by, *, statuses=(), people=(), attribute=False, progress=None):
        self.file, self.project, self.by, self.attribute = file, project, by, attribute
        self.progress = progress or (lambda done, total: None)
        self.report = Report(file.format)
        self.now = timezone.now()
        self.of_task, self.of_comment = TaskFields(), CommentFields()
        # As every writer does: what tasks refer to is locked first, then the board, then the log.
        self.people = People(project.memberships.select_related("user").locked(), people)
        self.new_labels = []
        self.labels = {label.name: label for label in project.labels.locked()}
        making.Board.locked(project.pk)
        self.statuses = Statuses(project, statuses)
        self.found_statuses = {status.pk for status in self.statuses.all}

    def run(self):
        for refused in self.file.broken:
            self.report.refuse(*refused)
        for left_out in self.file.left_out:
            self.report.warn(*left_out)
        with transaction.atomic(savepoint=False):
            rows = self.new_rows()
            if rows:
                self.make_statuses()
            self.make_tasks(rows)
            if self.report.refused:
                raise Refused(self.report)
            if rows:
                self.write(rows)
        return self.report

    def make_statuses(self):
        """Make the statuses that the file tells of and that lack here; one that is not valid is no status then."""
        told = {text(each.get("slug")): each for each in self.file.statuses}
        wanted = [StatusFields(data=each) for each in told.values()]
        valid = [dict(each.validated_data) for each in wanted if each.is_valid()]
        self.report.made["statuses"] = self.statuses.make(self.project, valid)

    # --- Which rows are new ---

    def new_rows(self):
        """The rows that are not here yet, each with the `id` that its task gets: the same whenever it is imported."""
        self.here = set(self.project.tasks.values_list("pk", flat=True))
        self.tasks = {}  # by what the file calls them: the id
        rows, titles = {}, Counter()
        for row in self.file.tasks:
            if not row.source_id:  # known by its title then, and by how many of that title came before
                titles[title := text(row.title)] += 1
                row.source_id = f"title:{title}:{titles[title]}"
            row.id = self.id_of(row.source_id)
            if row.id in rows:
                self.report.refuse(row.row, "id", "unique", "The file has this one twice.")
            rows.setdefault(row.id, row)
            self.tasks |= dict.fromkeys(filter(None, row.names), row.id)
        self.tasks |= {row.source_id: row.id for row in rows.values()}
        self.report.standing = len(self.here & rows.keys())
        spent = {pk for some in batched(rows, AT_ONCE) for pk in SpentId.objects.in_bulk(some)}
        for pk in spent:
            self.report.warn(rows[pk].row, "id", "deleted", "It was imported before, and deleted here.")
        return [row for pk, row in rows.items() if pk not in self.here and pk not in spent]

    def id_of(self, source_id):
        own = as_uuid(source_id) if self.file.source == "tickethub" else None
        if own in self.here:
            return own
        name = f"{self.file.source}:{source_id}"
        before = uuid5(self.project.pk, name)  # as a process of before there were keys makes it, during an upgrade
        return before if before in self.here else uuid5(self.project.import_key, name)

    # --- What becomes of them ---

    def make_tasks(self, rows):
        """Have a new task for each row, with all that it is; what is wrong with a row is reported."""
        tasks = self.new = {}
        for number, row in enumerate(rows, 1):
            if (fields := self.checked(row)) is not None:
                tasks[row.id] = self.task_of(row, fields)
            if not number % AT_ONCE or number == len(rows):
                self.progress(number, len(rows))
        for row in rows:
            if row.id in tasks:
                tasks[row.id].parent_id = self.parent_of(row)
        self.order = self.parents_first(rows)

    def checked(self, row):
        """The checked fields of a row, None where it is refused."""
        title, description = row.title, "" if row.description is None else row.description
        if isinstance(title, str) and len(title := title.strip()) > LONGEST_TITLE:
            self.report.warn(row.row, "title", "max_length", "It is cut, and stands in full in the description.")
            if isinstance(description, str):
                description = f"{title}\n\n{description}"
            title = title[: LONGEST_TITLE - 1] + "…"
        given = {
            "title": title,
            "description": self.signed(description, self.author(row.author)[1], row.url),
            "due_date": day(row.due_date),
            "labels": row.labels,
            "assignees": row.assignees,
        }
        fields = self.valid(row, self.of_task, given)
        row.bodies = [self.checked_body(row, comment) for comment in row.comments]
        return None if None in row.bodies else fields

    def checked_body(self, row, comment):
        """What a comment says here, empty for one that says nothing, None where it is refused."""
        if comment.body is None or (isinstance(comment.body, str) and not comment.body.strip()):
            return ""
        fields = self.valid(
            row, self.of_comment, {"comments": self.signed(comment.body, self.author(comment.author)[1])}
        )
        return fields and fields["comments"]

    def valid(self, row, serializer, given):
        """What a row gives for a serializer, None where it is refused. One serves all: to make it takes longer."""
        try:
            return serializer.run_validation(given)
        except serializers.ValidationError as error:
            for name, found in error.detail.items():
                while isinstance(found, dict):
                    found = next(iter(found.values()))
                self.report.refuse(row.row, name, found[0].code, str(found[0]))
            return None

    def author(self, person):
        """Who is to have made something, and whom to name as its origin in the text: None where it is the same."""
        member = self.people.find(person)
        if person is None or member == self.by:
            return self.by, None
        return (member, None) if member and self.attribute else (self.by, person)

    @staticmethod
    def signed(body, person, url=""):
        """The text, saying whose it was and where, as far as there is room."""
        origin = " ".join(filter(None, [person and f"by {person}", url]))
        if not origin or not isinstance(body, str):
            return body
        note = f"_Originally {' '.join(origin.split())}_"
        whole = f"{body}\n\n{note}" if body else note
        return whole if len(whole) <= LONGEST_TEXT else body

    def task_of(self, row, fields):
        status = self.status_of(row)
        if status.pk in self.found_statuses:  # the category of one that is made here is nobody else's to change
            status.keep_category()
        task = Task(
            id=row.id,
            project=self.project,
            number=row.number,
            title=fields["title"],
            description=fields["description"],
            status=status,
            priority=self.priority_of(row),
            due_date=fields["due_date"],
            created_by=self.author(row.author)[0],
            created_at=self.time(row, "created_at") or self.now,
            updated_at=self.now,  # or who asks for what is new would not find it
            completed_at=(self.time(row, "completed_at") or self.now) if status.completes else None,
        )
        task.assignee_ids = sorted({str(user.pk) for each in fields["assignees"] if (user := self.member(row, each))})
        task.label_ids = sorted({str(self.label(name).pk) for name in fields["labels"]})
        return task

    def status_of(self, row):
        word = text(row.status)
        status = self.statuses.find(word, row.category)
        if status is None:
            status = self.statuses.default
            words = f"{quoted(word)} is no status here: taken as {quoted(status.name)}."
            self.report.warn(row.row, "status", "unknown_status", words)
        if word and len(self.report.statuses) < len(self.statuses.all) + 100:
            self.report.statuses[word[:100]] = status.slug
        return status

    def priority_of(self, row):
        word = text(row.priority).strip()
        found = PRIORITY_OF.get(word.casefold(), None if word else Task.Priority.NONE)
        if found is None:
            self.report.warn(row.row, "priority", "unknown_priority", f"{quoted(word)} is no priority: left out.")
        return found or Task.Priority.NONE

    def member(self, row, person):
        user = self.people.find(person)
        if user is None:
            self.report.warn(row.row, "assignees", "not_a_member", f"{quoted(person)} is no member: left unassigned.")
        return user

    def label(self, name):
        """The label of a name, which is made where there is none."""
        if name not in self.labels:
            color = text(self.file.colors.get(name))
            label = Label(project=self.project, name=name, created_at=self.now)
            label.color = color if COLOR.regex.match(color) else label.color
            self.labels[name] = label
            self.new_labels.append(label)
        return self.labels[name]

    def time(self, row, name):
        """A time of the row, None where it has none that can be told; one that is to come is now."""
        given = getattr(row, name)
        found = moment(given)
        if found is None and given:
            self.report.warn(row.row, name, "invalid", "This is no time: the one of now is taken.")
        return found and min(found, self.now)

    # --- What hangs together ---

    def look_up(self, name):
        """The id of the task that a row names: in the file, or imported before. None for what is neither."""
        pk = self.tasks.get(name) or self.id_of(name)
        return pk if pk in self.new or pk in self.here else None

    def parent_of(self, row):
        if not row.parent:
            return None
        parent = self.look_up(row.parent)
        if parent is None:
            words = f"{quoted(row.parent)} is not in the file: left without a parent."
            self.report.warn(row.row, "parent", "does_not_exist", words)
        return parent

    def parents_first(self, rows):
        """The new tasks, none before the one above it. Rows that are above themselves are refused."""
        order = {}
        for row in rows:
            way, pk = {}, row.id
            while pk in self.new and pk not in order and pk not in way:
                way[pk] = self.new[pk]
                pk = way[pk].parent_id
            if pk in way:
                self.report.refuse(row.row, "parent", "circle", "A task cannot be below itself.")
            order |= dict(reversed(way.items()))
        return list(order.values())

    def relations(self, rows):
        """The relations of new tasks, each once."""
        found = {}
        for row in rows:
            for kind, name, is_source in row.relations:
                other = self.look_up(name)
                if kind not in TaskRelation.Type.values or other in {None, row.id}:
                    words = f"{quoted(f'{kind} {name}')} is no relation to a task of the file: left out."
                    self.report.warn(row.row, "relations", "does_not_exist", words)
                    continue
                ends = (row.id, other) if is_source else (other, row.id)
                found.setdefault((frozenset(ends), kind), (kind, *ends))
        return [self.relation(*each) for each in found.values()]

    def relation(self, kind, source, target):
        relation = TaskRelation(source_id=source, target_id=target, type=kind, created_at=self.now)
        relation.source = self.new.get(source) or Task(pk=source, project=self.project)
        return relation

    def comments(self, rows):
        for row in rows:
            for comment, body in zip(row.comments, row.bodies, strict=True):
                if body:
                    edited_at, created_at = moment(comment.edited_at), moment(comment.created_at)
                    yield Comment(
                        task=self.new[row.id],
                        author=self.author(comment.author)[0],
                        body=body,
                        created_at=min(created_at or self.now, self.now),
                        edited_at=edited_at and min(edited_at, self.now),
                        updated_at=self.now,
                    )

    # --- Writing ---

    def write(self, rows):
        for label in [LabelFields(data={"name": name}) for name in self.file.labels]:
            if label.is_valid():  # and whether or not a task has it
                self.label(label.validated_data["name"])
        Label.objects.make_all(self.new_labels)
        self.report.made["labels"] = len(self.new_labels)
        by_row = [self.new[row.id] for row in rows]
        ranked = [self.new[row.id] for row in sorted(rows, key=lambda row: row.rank)]
        if not making.number(by_row):
            self.report.warn(rows[0].row, "number", "renumbered", "The numbers go on from those that are here.")
        making.place(ranked)
        relations, comments = self.relations(rows), list(self.comments(rows))
        for kind, write, things in [
            ("tasks", making.make_all, self.order),
            ("relations", TaskRelation.objects.make_all, relations),
            ("comments", Comment.objects.make_all, comments),
        ]:
            for some in batched(things, AT_ONCE):
                write(some)
                self.report.made[kind] += len(some)
        if len(self.order) >= MANY:
            transaction.on_commit(have_planner_know, robust=True)


def have_planner_know():
    """Have PostgreSQL look at how much there is now. It took the project for empty until autovacuum looks, and would
    go through all of it for each of the tasks that a filter finds.
    """
    if connection.vendor == "postgresql":
        tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in WRITTEN)
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE (SKIP_LOCKED) {tables}")  # what is locked is being looked at
