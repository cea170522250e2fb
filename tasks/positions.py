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
    return without_zeros(str((start + end) // 2).zfill(width))


def spread(low, high, many, taken=()):
    """So many places between two others, in order: evenly, as short as that gives them, and none of the `taken`."""
    width = DIGITS
    while (end := cut(high, width)) - (start := cut(low, width)) <= many:
        width += 1
    places = []
    for number in range(1, many + 1):
        digits = str(start + (end - start) * number // (many + 1)).zfill(width)
        while (place := without_zeros(digits)) in taken:
            digits += "5"
        places.append(place)
    return places


def cut(place, width):
    """The first digits of a place, as a number."""
    return int(place[:width].ljust(width, "0"))


def without_zeros(digits):
    return digits[:DIGITS] + digits[DIGITS:].rstrip("0")


def whole(number):
    return str(number).zfill(DIGITS)
