"""Titles, descriptions and remarks that nobody wrote: of many lengths, and with words that a search can ask for.

Each of RARE stands in one task's description in so many, by its number in the project, and in no other text.
"""

import random
from functools import cache
from itertools import product

RARE = {"lantern": 10, "harbour": 100, "quartz": 1_000, "xylophone": 10_000}  # word: one in so many tasks
NOWHERE = "zeppelin"
SYLLABLES = list(map("".join, product("bcdfghjklmnprst", "aeio")))
ENDINGS = list(map("".join, product(SYLLABLES, "lnrs")))
WORDS, SENTENCES = 1_500, 4_000
LONGEST_TITLE = 120


@cache
def words():
    rng = random.Random("words")
    return [rng.choice(["", *SYLLABLES]) + rng.choice(SYLLABLES) + rng.choice(ENDINGS) for _ in range(WORDS)]


@cache
def sentences():
    wording = Wording(random.Random("sentences"))
    return [f"{' '.join(wording.some_words(4, 14)).capitalize()}." for _ in range(SENTENCES)]


class Wording:
    """Texts by a source of chance: the same source gives the same texts."""

    def __init__(self, rng):
        self.random = rng.random

    def some_words(self, least, most):
        """Words of which few are frequent and many are seldom, as in a language."""
        known = words()
        count = least + int(self.random() * (most - least))
        return [known[int(WORDS * self.random() ** 3)] for _ in range(count)]

    def some_sentences(self, most):
        known = sentences()
        return [known[int(SENTENCES * self.random())] for _ in range(1 + int(most * self.random() ** 2))]

    def title(self):
        return " ".join(self.some_words(2, 9)).capitalize()[:LONGEST_TITLE]

    def description(self, number):
        """Markdown: one in seven is empty, one in a hundred is long."""
        chance = self.random()
        parts = [] if chance < 0.14 else self.some_sentences(80 if chance > 0.99 else 11)
        parts += [f"There is a {word} in it." for word, frequency in RARE.items() if number % frequency == 0]
        if len(parts) < 4:
            return " ".join(parts)
        return f"{' '.join(parts[:3])}\n\n" + "\n".join(f"- {part}" for part in parts[3:])

    def remark(self):
        return " ".join(self.some_sentences(6))
