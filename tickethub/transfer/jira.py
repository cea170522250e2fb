"""Jira's issues: as its search by REST gives them, and as it exports them in CSV, all fields or some."""

import re

from tickethub.transfer.adf import as_markdown
from tickethub.transfer.rows import CommentRow, File, Person, TaskRow, listing, mapping, moment, text, whole

CATEGORIES = {"new": "todo", "indeterminate": "in_progress", "done": "done"}
CATEGORY_NAMES = {"to do": "todo", "in progress": "in_progress", "done": "done"}
TYPES = {"blocks": "blocks", "duplicate": "duplicates", "duplicates": "duplicates"}
CANCELLING = {"won't do", "won't fix", "wont do", "wont fix", "duplicate", "declined", "cannot reproduce", "cancelled"}
LINK = re.compile(r"(inward|outward) issue link \((.+)\)")


def read_json(data):
    """The File of a page of the search, or of a list of issues."""
    issues = listing(data if isinstance(data, list) else data.get("issues"))
    return File("jira-json", [issue(row, item) for row, item in enumerate(issues, 1)])


def issue(row, item):
    fields, key = mapping(item.get("fields")), text(item.get("key"))
    state = mapping(fields.get("status"))
    category = CATEGORIES.get(text(mapping(state.get("statusCategory")).get("key")), "")
    resolution = text(mapping(fields.get("resolution")).get("name"))
    return TaskRow(
        row,
        key,
        fields.get("summary"),
        markdown(fields.get("description")),
        names=(text(item.get("id")),),
        number=whole(key.rpartition("-")[2]),
        status=status(text(state.get("name")), category, resolution),
        category=category,
        priority=text(mapping(fields.get("priority")).get("name")),
        assignees=[each for each in [person(fields.get("assignee"))] if each],
        labels=fields.get("labels") or [],
        parent=text(mapping(fields.get("parent")).get("key")),
        due_date=fields.get("duedate"),
        author=person(fields.get("reporter")) or person(fields.get("creator")),
        created_at=fields.get("created"),
        completed_at=fields.get("resolutiondate"),
        relations=[each for link in listing(fields.get("issuelinks")) for each in relations(link)],
        comments=[comment(each) for each in listing(mapping(fields.get("comment")).get("comments"))],
    )


def markdown(value):
    return as_markdown(value) if isinstance(value, dict) else value


def status(name, category, resolution):
    """Jira keeps apart that something is done, and whether it was done at all."""
    return resolution if category == "done" and resolution.lower() in CANCELLING else name


def person(item):
    item = mapping(item)
    name, handle, address = (text(item.get(key)) for key in ("displayName", "name", "emailAddress"))
    found = Person(email=address, username=handle, name=name)
    return found if found.words else None


def relations(link):
    kind = TYPES.get(text(mapping(link.get("type")).get("name")).lower(), "relates_to")
    for name in ("inwardIssue", "outwardIssue"):
        if other := text(mapping(link.get(name)).get("key")):
            yield kind, other, name == "outwardIssue"


def comment(item):
    return CommentRow(text(item.get("id")), markdown(item.get("body")), person(item.get("author")), item.get("created"))


def read_csv(table):
    return File("jira-csv", [line(row, cells) for row, cells in table])


def line(row, cells):
    """A task from the cells of an issue: by column in small letters, where several columns have one name, several."""

    def get(*columns):
        return next((cell for column in columns for cell in cells.get(column, ()) if cell), "")

    key = get("issue key", "work item key", "key")
    category = CATEGORY_NAMES.get(get("status category").lower(), "")
    # Some exports have the address beside the name, most have the name alone.
    assignee = Person(email=get("assignee email"), name=get("assignee"))
    return TaskRow(
        row,
        key,
        get("summary"),
        get("description"),
        names=(get("issue id", "work item id"),),
        number=whole(key.rpartition("-")[2]),
        status=status(get("status"), category or "done", get("resolution")),
        category=category,
        priority=get("priority"),
        assignees=[assignee] if assignee.words else [],
        labels=[label for cell in cells.get("labels", ()) for label in cell.split()],
        parent=get("parent key", "parent", "parent id", "epic link", "custom field (epic link)"),
        due_date=get("due date", "due") or None,
        author=named(get("reporter") or get("creator")),
        created_at=get("created"),
        completed_at=get("resolved"),
        relations=[each for column, found in cells.items() for each in links(column, found)],
        comments=[remark(place, cell) for place, cell in enumerate(cells.get("comment", ())) if cell],
    )


def links(column, found):
    if match := LINK.fullmatch(column):
        kind = TYPES.get(match[2], "relates_to")
        yield from ((kind, key.strip(), match[1] == "outward") for key in found if key.strip())


def named(name):
    return Person(name=name, username=name) if name else None


def remark(place, cell):
    """A comment from a cell: `time;author;body`, or the body alone."""
    parts = cell.split(";", 2)
    if len(parts) == 3 and moment(parts[0]):
        return CommentRow(str(place), parts[2], named(parts[1]), parts[0])
    return CommentRow(str(place), cell)
