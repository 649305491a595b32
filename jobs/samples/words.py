"""Texts as people write them, and the ones that broke pipelines. All randomness comes from the caller."""

from __future__ import annotations

from random import Random

_WORDS = (
    "hops yeast malt barrel stout lager foam cellar brew pint crown vote king coup ballot channel night tide harbour "
    "signal anchor why how when does never always please thanks again after before between because cold warm bitter "
    "sweet old new the a of and to in is it that for on with as at by from über café naïve smörgås пиво ビール"
).split()

UGLY_TEXTS = (
    "commas, more, and ; semicolons",
    'she said "long live the king", twice',
    '"',
    '""quoted"" at both ends "',
    "first line\nsecond line",
    "windows line\r\nsecond line\r\n\r\nfourth",
    "\nstarts and ends with a newline\n",
    "👑🗳️ coup! 👩‍👩‍👧‍👦 e\u0301 \U0001f3f4\u200d\u2620\ufe0f",
    "",
    "   ",
    '{"a":{}}{"b":"}{"}',
    "C:\\new\\table \\N \\\\. \\",
    "  leading and trailing spaces  ",
    "tab\tseparated\ttext",
    "'; DROP TABLE roster; --",
    "=1+1",
    "NULL",
    "NaN",
    "007",
    "a,b\nc,d\n1,2",
    "unit\x1fseparator and bell\x07",
    "\u00a0",
    "%s %(name)s :name {name} $1",
)


def sentence(random: Random) -> str:
    """3 to 12 words."""
    return " ".join(random.choices(_WORDS, k=3 + int(random.random() * 10)))


def sentences(random: Random, count: int) -> list[str]:
    """A stock to draw from: picking is ten times faster than composing."""
    return [sentence(random) for _ in range(count)]
