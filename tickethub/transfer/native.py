"""TicketHub's own formats, as `exporting` writes them."""

import csv
import json

from tickethub.transfer.cells import split, unescape
from tickethub.transfer.rows import CommentRow, File, Person, TaskRow, Unreadable, listing, mapping, text, whole

VERSION = 1
COLUMNS = [
    "id",
    "key",
    "title",
    "description",
    "status",
    "status_name",
    "status_category",
    "priority",
    "assignees",
    "labels",
    "label_colors",
    "parent",
    "due_date",
    "relations",
    "position",
    "created_by",
    "created_at",
    "updated_at",
    "completed_at",
    "comments",
]


def read_json(data):
    """The File of an object that was exported. Raises Unreadable for one of another version, or without tasks."""
    if data.get("tickethub") != VERSION:
        raise Unreadable("This was exported by another version of TicketHub.", "version")
    if not isinstance(data.get("tasks"), list):
        raise Unreadable("The file has no list of `tasks`.")
    colors = {text(label.get("name")): text(label.get("color")) for label in listing(data.get("labels"))}
    return File(
        "tickethub-json",
        [task(place, mapping(item)) for place, item in enumerate(data["tasks"], 1)],
        colors=colors,
        labels=list(colors),
        statuses=listing(data.get("statuses")),
    )


def task(row, item):
    """A task from its object in JSON."""
    key = text(item.get("key"))
    return TaskRow(
        row,
        text(item.get("id")),
        item.get("title"),
        item.get("description"),
        names=(key,),
        number=whole(key.rpartition("-")[2]),
        status=text(item.get("status")),
        priority=text(item.get("priority")),
        assignees=[person(each) for each in listing(item.get("assignees"))],
        labels=item.get("labels") or [],
        parent=text(item.get("parent")),
        due_date=item.get("due_date"),
        rank=(text(item.get("position")),),
        author=person(item.get("created_by")),
        created_at=item.get("created_at"),
        completed_at=item.get("completed_at"),
        relations=[(text(each.get("type")), text(each.get("target")), True) for each in listing(item.get("relations"))],
        comments=[comment(each) for each in listing(item.get("comments"))],
    )


def comment(item):
    return CommentRow(
        text(item.get("id")),
        item.get("body"),
        person(item.get("author")),
        item.get("created_at"),
        item.get("edited_at"),
    )


def person(item):
    """Whom an object names, None without one."""
    if not isinstance(item, dict):
        return None
    return Person(text(item.get("id")), text(item.get("email")), text(item.get("username")))


def read_csv(table):
    """The File of a table. Rows whose cells cannot be taken apart are `broken`."""
    result, statuses = File("tickethub-csv", []), {}
    for row, cells in table:
        values = {column: unescape((cells.get(column) or [""])[0]) for column in COLUMNS}
        try:
            names, colors = split(values["labels"]), split(values["label_colors"])
            result.tasks.append(task(row, as_json(values)))
        except (ValueError, RecursionError, csv.Error):
            result.broken.append((row, "non_field_errors", "malformed", "A cell that has several values is broken."))
            continue
        slug = values["status"]
        statuses[slug] = {"slug": slug, "name": values["status_name"], "category": values["status_category"]}
        result.colors.update(zip(names, colors, strict=False))
    result.statuses = list(statuses.values())
    return result


def as_json(values):
    """What the object in JSON would be for a line of cells. Raises ValueError and csv.Error."""
    author = Person.called(values["created_by"])
    assignees = [Person.called(word) for word in split(values["assignees"])]
    relations = [each.partition(" ") for each in split(values["relations"])]
    return values | {
        "created_by": author and vars(author),
        "assignees": [vars(each) for each in assignees if each],
        "labels": split(values["labels"]),
        "due_date": values["due_date"] or None,
        "created_at": values["created_at"] or None,
        "completed_at": values["completed_at"] or None,
        "relations": [{"type": kind, "target": other} for kind, _, other in relations],
        "comments": json.loads(values["comments"] or "[]"),
    }
