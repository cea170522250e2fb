"""Places on a board, as text that sorts byte by byte: ten digits and, between two such, a fraction.

There is always a place between two others, so a move changes one task. Digits alone sort alike in every collation.
"""

DIGITS = 10
FIRST = 10**DIGITS // 2


def after(last):
    """The place of what comes after everything; `last` is the last place in use, None on an empty board."""
    return whole(int(last[:DIGITS]) + 1 if last else FIRST)


def before(first):
    """The place of what comes before everything."""
    return whole(int(first[:DIGITS]) - 1)


def between(low, high):
    """A place between two others, as short as halving gives it."""
    width = max(len(low), len(high))
    start, end = int(low.ljust(width, "0")), int(high.ljust(width, "0"))
    while end - start < 2:
        start, end, width = start * 10, end * 10, width + 1
    middle = str((start + end) // 2).zfill(width)
    return middle[:DIGITS] + middle[DIGITS:].rstrip("0")


def whole(number):
    return str(number).zfill(DIGITS)
