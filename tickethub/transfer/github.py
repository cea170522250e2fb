"""GitHub's issues: as its REST API and `gh issue list --json` give them, and as tables with a title in each line."""

from tickethub.transfer.rows import CommentRow, File, Person, TaskRow, listing, mapping, text, whole

CANCELLED = {"not_planned", "duplicate"}


def read_json(items):
    """The File of a list of issues, from which pull requests are left out."""
    result = File("github-json", [])
    for row, item in enumerate(items, 1):
        if "pull_request" in item:
            result.left_out.append((row, "pull_request", "left_out", "Pull requests are no issues."))
            continue
        labels = [each["name"] if isinstance(each, dict) and "name" in each else each for each in of(item, "labels")]
        for label in listing(item.get("labels")):
            if label.get("color"):
                result.colors[text(label.get("name"))] = "#" + text(label["color"]).removeprefix("#")
        url, number = text(either(item, "html_url", "url")), whole(item.get("number"))
        result.tasks.append(
            TaskRow(
                row,
                url or text(number),
                item.get("title"),
                item.get("body"),
                names=(f"#{number}", text(number)),
                number=number,
                status=status(text(item.get("state")), text(either(item, "state_reason", "stateReason"))),
                assignees=[person for person in map(login, of(item, "assignees")) if person],
                labels=labels,
                author=login(either(item, "user", "author")),
                url=url,
                created_at=either(item, "created_at", "createdAt"),
                completed_at=either(item, "closed_at", "closedAt"),
                comments=[comment(each) for each in listing(item.get("comments"))],
            )
        )
    return result


def of(item, name):
    value = item.get(name)
    return value if isinstance(value, list) else []


def either(item, *names):
    """The first of these that the object has."""
    return next((item[name] for name in names if item.get(name)), None)


def login(value):
    word = text(mapping(value).get("login"))
    return Person(username=word, name=text(mapping(value).get("name"))) if word else None


def status(state, reason):
    state, reason = state.lower(), reason.lower()
    return reason if state == "closed" and reason in CANCELLED else state


def comment(item):
    return CommentRow(
        text(either(item, "html_url", "url", "id")),
        item.get("body"),
        login(either(item, "user", "author")),
        either(item, "created_at", "createdAt"),
    )


def read_csv(table):
    """GitHub itself exports no CSV. This takes what its exporters write, and any table with a `title`."""
    result = File("github-csv", [])
    for row, cells in table:
        url, number = first(cells, "html_url", "url", "link"), whole(first(cells, "number", "id").removeprefix("#"))
        result.tasks.append(
            TaskRow(
                row,
                url or text(number) or first(cells, "id"),
                first(cells, "title", "name", "summary"),
                first(cells, "body", "description"),
                names=(f"#{number}", text(number)),
                number=number,
                status=status(first(cells, "state", "status"), first(cells, "state_reason", "statereason")),
                priority=first(cells, "priority"),
                assignees=people(cells),
                labels=several(cells, "labels", "label"),
                due_date=first(cells, "due_date", "due", "due date") or None,
                author=Person.called(first(cells, "user", "author", "user.login", "creator")),
                url=url,
                created_at=first(cells, "created_at", "createdat", "created at", "created"),
                completed_at=first(cells, "closed_at", "closedat", "closed at", "closed"),
            )
        )
    return result


def first(cells, *columns):
    return next((cell for column in columns for cell in cells.get(column, ()) if cell), "")


def several(cells, *columns):
    """The values of cells that have several each, between commas."""
    found = [part.strip() for column in columns for cell in cells.get(column, ()) for part in cell.split(",")]
    return list(dict.fromkeys(filter(None, found)))


def people(cells):
    return [Person.called(word.removeprefix("@")) for word in several(cells, "assignees", "assignee")]
