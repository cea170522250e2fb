"""From the text of a file to rows, by whichever format it is in."""

import csv
import io
import json
from math import inf

from tickethub.transfer import github, jira, native, trello
from tickethub.transfer.rows import Unreadable, listing, mapping

csv.field_size_limit(2**31 - 1)  # a cell with comments is longer than what Python takes for a mistake
# What gives the File of each: of an object or a list, or of rows as `lines` yields them.
FORMATS = {
    "tickethub-json": native.read_json,
    "tickethub-csv": native.read_csv,
    "github-json": github.read_json,
    "github-csv": github.read_csv,
    "jira-json": jira.read_json,
    "jira-csv": jira.read_csv,
    "trello-json": trello.read_json,
    "trello-csv": trello.read_csv,
}
OBJECTS = {"tickethub-json", "trello-json"}  # the JSON formats that are an object
OBJECTS_A_ROW = 6  # that a file may have on the average, with as many rows as are allowed
CELLS_A_ROW = 100  # the same of a table: many exports have a column for each comment of who has the most
NAMES_A_ROW = 2  # labels and assignees
MOST_LABELS, MOST_STATUSES = 5_000, 100


def decode(data):
    """The text of a file. Raises Unreadable for what is not in UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("The file is not in UTF-8. Save it in that encoding.", "encoding") from error


def read(text, name=None, most=None):
    """The File that a text holds, in the format of that name, or in the one it looks like. Raises Unreadable, also
    for more than `most` tasks, and for too much that hangs on them.
    """
    text = text.removeprefix("\ufeff")
    most = most or inf
    file = parse(text, name, most)
    names = [str(name) for row in file.tasks if isinstance(row.labels, list) for name in row.labels]
    if len({*names, *file.labels}) > MOST_LABELS or len(file.statuses) > MOST_STATUSES:
        raise Unreadable(f"At most {MOST_LABELS:,} labels and {MOST_STATUSES} statuses come at once.", "too_many")
    if len(names) + sum(len(row.assignees) for row in file.tasks) > most * NAMES_A_ROW:
        raise too_large(most * NAMES_A_ROW, "labels and assignees of tasks")
    for what in ("comments", "relations"):
        if sum(len(getattr(row, what)) for row in file.tasks) > most:
            raise too_large(most, what)
    return file


def parse(text, name, most):
    """The same, but for what hangs on the tasks."""
    is_json = name.endswith("json") if name else text.lstrip()[:1] in {"{", "["}
    if is_json and text.count("{") > most * OBJECTS_A_ROW:  # told before any of it is made
        raise too_large(most)
    content = from_json(text) if is_json else from_csv(text, most)
    lists = [content, *content.values()] if isinstance(content, dict) else [content]
    if any(isinstance(each, list) and len(each) > most for each in lists):
        raise too_large(most)
    name = name or (json_format(content) if is_json else csv_format(content[0]))
    if not is_json:
        return FORMATS[name](lines(content))
    if name in OBJECTS and not isinstance(content, dict):
        raise Unreadable("This format is one object, not a list.", "unknown_format")
    if name == "github-json":
        content = listing(content if isinstance(content, list) else [content])
    try:
        return FORMATS[name](content)
    except (TypeError, AttributeError, KeyError, RecursionError) as error:  # lists in the place of objects
        raise Unreadable(f"This is not what {name} looks like.") from error


def too_large(most, what="rows"):
    return Unreadable(f"At most {most:,} {what} come at once. Divide the file, or import it on the server.", "too_many")


def from_json(text):
    """What a text says as JSON. Raises Unreadable."""
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()  # which half a character of an escape cannot be
        return content
    except RecursionError as error:
        raise Unreadable("The JSON is nested too deep.") from error
    except ValueError as error:
        raise Unreadable(f"This is not valid JSON: {error}".encode("ascii", "replace").decode()) from error


def json_format(content):
    """The name of the format of some JSON. Raises Unreadable for one that is none."""
    if isinstance(content, dict):
        marks = {"tickethub": "tickethub-json", "issues": "jira-json", "cards": "trello-json"}
        found = next((name for mark, name in marks.items() if mark in content), None)
    else:
        first = mapping((listing(content) or [{}])[0])
        found = "jira-json" if "fields" in first else "github-json" if "title" in first else None
    if not found:
        raise Unreadable("This is no export of TicketHub, GitHub, Jira or Trello. Name its `format`.", "unknown_format")
    return found


def from_csv(text, most):
    """The header of a CSV text, its names in small letters, and its lines. Raises Unreadable."""
    reader, rest, count = csv.reader(io.StringIO(text, newline=""), strict=True), [], 0
    try:
        header = next(reader, [])
        for cells in reader:
            if len(rest) >= most:
                raise too_large(most)
            count += len(cells)
            if count > most * CELLS_A_ROW:
                raise too_large(most * CELLS_A_ROW, "cells")
            rest.append(cells)
    except csv.Error as error:
        raise Unreadable(f"This is not valid CSV: {error}.") from error
    return [name.strip().lower() for name in header], rest


def lines(content):
    """`(number, {column: [cells]})` of each line that is not empty; the header is line 1."""
    header, rest = content
    for number, cells in enumerate(rest, 2):
        if any(cells):
            if any(cells[len(header) :]):
                raise Unreadable(f"Row {number} has more cells than the first line has names.")
            found = {}
            for name, cell in zip(header, cells, strict=False):
                found.setdefault(name, []).append(cell)
            yield number, found


def csv_format(header):
    """The name of the format of a table with this header. Raises Unreadable for none."""
    names = set(header)
    if {"id", "key", "title", "status_category"} <= names:
        return "tickethub-csv"
    if "summary" in names and names & {"issue key", "work item key", "key"}:
        return "jira-csv"
    if "card name" in names:
        return "trello-csv"
    if "title" in names:
        return "github-csv"
    raise Unreadable("The first line names no columns of TicketHub, GitHub, Jira or Trello.", "unknown_format")
