"""Trello's boards: as "Print, export, and share" gives them in JSON, and in CSV."""

import re
from collections import defaultdict
from datetime import UTC, datetime

from tickethub.transfer.rows import CommentRow, File, Person, TaskRow, listing, mapping, text, whole

COLORS = {
    "green": "#4bce97",
    "yellow": "#e2b203",
    "orange": "#faa53d",
    "red": "#f87462",
    "purple": "#9f8fef",
    "blue": "#579dff",
    "sky": "#60c6d2",
    "lime": "#94c748",
    "pink": "#e774bb",
    "black": "#596773",
}
COLOR_BEHIND = re.compile(rf" \(({'|'.join(COLORS)})(_\w+)?\)$")
ARCHIVED = ("closed", "left_out", "It is archived.")


def read_json(board):
    """The File of a board as an object."""
    lists = {text(each.get("id")): each for each in listing(board.get("lists"))}
    result, known = File("trello-json", []), Known(board)
    result.colors = {name_of(each): color(each) for each in listing(board.get("labels"))}
    for row, card in enumerate(listing(board.get("cards")), 1):
        column = lists.get(text(card.get("idList")), {})
        if card.get("closed") is True or column.get("closed") is True:
            result.left_out.append((row, *ARCHIVED))
        else:
            result.tasks.append(known.task(row, card, column))
    return result


class Known:
    """What a board has beside its cards, by the ids that these refer to it by, or that it refers to them by."""

    def __init__(self, board):
        self.people = {text(each.get("id")): person(each) for each in listing(board.get("members"))}
        self.labels = {text(each.get("id")): name_of(each) for each in listing(board.get("labels"))}
        self.checklists, self.comments, self.authors = defaultdict(list), defaultdict(list), {}
        for each in listing(board.get("checklists")):
            self.checklists[text(each.get("idCard"))].append(each)
        for action in listing(board.get("actions")):
            card = text(mapping(mapping(action.get("data")).get("card")).get("id"))
            if action.get("type") == "commentCard":
                self.comments[card].append(comment(action))
            elif action.get("type") == "createCard":
                self.authors[card] = person(action.get("memberCreator"))

    def task(self, row, card, column):
        """A task from a card in a list."""
        pk = text(card.get("id"))
        own = [self.labels.get(text(each)) for each in card.get("idLabels") or []]
        return TaskRow(
            row,
            pk,
            card.get("name"),
            described(card.get("desc"), self.checklists[pk]),
            names=(text(card.get("shortLink")), text(card.get("shortUrl"))),
            number=whole(card.get("idShort")),
            status=text(column.get("name")),
            assignees=[who for each in card.get("idMembers") or [] if (who := self.people.get(text(each)))],
            labels=[label for label in own or map(name_of, listing(card.get("labels"))) if label],
            due_date=card.get("due"),
            rank=(number(column.get("pos")), number(card.get("pos"))),
            author=self.authors.get(pk),
            url=text(card.get("shortUrl") or card.get("url")),
            created_at=made_at(pk),
            comments=sorted(self.comments[pk], key=lambda each: text(each.created_at)),
        )


def person(item):
    item = mapping(item)
    found = Person(username=text(item.get("username")), name=text(item.get("fullName")), email=text(item.get("email")))
    return found if found.words else None


def name_of(label):
    """A label may have no more than a color."""
    return text(label.get("name")) or text(label.get("color"))


def color(label):
    return COLORS.get(text(label.get("color")).partition("_")[0], "")


def comment(action):
    body = mapping(action.get("data")).get("text")
    return CommentRow(text(action.get("id")), body, person(action.get("memberCreator")), action.get("date"))


def described(description, checklists):
    """The description with the checklists below it, as Markdown has them."""
    parts = [text(description)]
    for each in sorted(checklists, key=lambda each: number(each.get("pos"))):
        items = sorted(listing(each.get("checkItems")), key=lambda item: number(item.get("pos")))
        lines = [f"- [{'x' if item.get('state') == 'complete' else ' '}] {text(item.get('name'))}" for item in items]
        parts.append("\n".join([f"**{text(each.get('name'))}**", "", *lines]))
    return "\n\n".join(filter(None, parts))


def number(value):
    return value if isinstance(value, int | float) else 0


def made_at(pk):
    """An id of Trello begins with the second it was made in."""
    try:
        return datetime.fromtimestamp(int(pk[:8], 16), UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def read_csv(table):
    """The File of a table, from which archived cards are left out."""
    result = File("trello-csv", [])
    for row, cells in table:
        one = {column: (found or [""])[0] for column, found in cells.items()}
        if one.get("archived", "").lower() == "true" or one.get("list archived", "").lower() == "true":
            result.left_out.append((row, *ARCHIVED))
            continue
        labels = [COLOR_BEHIND.sub("", part.strip()) for part in one.get("labels", "").split(",")]
        people = [part.strip() for part in one.get("members", "").split(",")]
        result.tasks.append(
            TaskRow(
                row,
                one.get("card id", ""),
                one.get("card name", ""),
                one.get("card description", ""),
                names=(one.get("card url", ""),),
                number=whole(one.get("card #", "")),
                status=one.get("list name", ""),
                assignees=[Person(username=each) for each in people if each],
                labels=[label for label in labels if label],
                due_date=one.get("due date"),
                url=one.get("card url", ""),
                created_at=made_at(one.get("card id", "")),
            )
        )
    return result
