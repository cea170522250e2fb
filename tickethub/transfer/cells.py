"""Cells of CSV: that no spreadsheet runs what is in one, and several values in one."""

import csv
import io

# What a spreadsheet takes for the beginning of a formula, also in full width, or skips to come to one.
STARTS_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
MARK = "'"  # a spreadsheet takes the rest for text


def escape(cell):
    """The cell as no spreadsheet runs it. What begins with a mark itself gets another, so that `unescape` is exact."""
    dangerous = cell.startswith((MARK, *STARTS_FORMULA)) or cell.lstrip().startswith(STARTS_FORMULA)
    return MARK + cell if dangerous else cell


def unescape(cell):
    return cell.removeprefix(MARK)


def line(values, quoting=csv.QUOTE_ALL):
    """A line of CSV, every cell quoted unless `quoting` says otherwise."""
    out = io.StringIO()
    csv.writer(out, quoting=quoting, lineterminator="\r\n").writerow(values)
    return out.getvalue()


def join(values):
    """Several values as one cell, which is a line of CSV itself."""
    return line(values, csv.QUOTE_MINIMAL).removesuffix("\r\n") if values else ""


def split(cell):
    """The values of such a cell. Raises csv.Error."""
    return next(csv.reader(io.StringIO(cell, newline=""), strict=True), []) if cell else []
