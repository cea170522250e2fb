"""What came of an import: how many of what, what was not taken, and what was taken otherwise than it says."""

from collections import Counter
from dataclasses import dataclass, field

MOST = 1000  # lines of a report; all are counted
LONGEST = 100  # characters of what is quoted


def quoted(word):
    """A word of the file, as a report quotes it."""
    word = str(word)
    return f"“{word[:LONGEST]}…”" if len(word) > LONGEST else f"“{word}”"


@dataclass
class Report:
    format: str
    dry_run: bool = False
    made: Counter = field(default_factory=Counter)  # tasks, comments, relations, labels, statuses
    standing: int = 0  # tasks that were here already
    statuses: dict = field(default_factory=dict)  # by word of the file: the slug
    refused: list = field(default_factory=list)
    warnings: dict = field(default_factory=dict)

    def refuse(self, row, field, code, detail):
        self.refused.append({"row": row, "field": field, "code": code, "detail": detail})

    def warn(self, row, field, code, detail):
        """Tell of something; what is told of several rows in the same words is told once."""
        found = self.warnings.setdefault((field, code, detail), {"row": row, "rows": 0})
        found["rows"] += 1

    def as_data(self):
        """The report for JSON, without what was refused: of an import that stands there is nothing."""
        told = [
            {**where, "field": field, "code": code, "detail": detail}
            for (field, code, detail), where in list(self.warnings.items())[:MOST]
        ]
        kinds = ("tasks", "comments", "relations", "labels", "statuses")
        return {
            "format": self.format,
            "dry_run": self.dry_run,
            "made": {kind: self.made[kind] for kind in kinds},
            "standing": self.standing,
            "statuses": self.statuses,
            "warnings": told,
        }


class Refused(Exception):
    """Some lines were refused, so nothing was taken."""

    def __init__(self, report):
        super().__init__(f"{len(report.refused)} refused")
        self.report = report
