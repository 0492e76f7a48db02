"""Count, list and quote things in sentences about a data set."""

import re
from collections.abc import Iterable

LISTED = 10  # at most; more are counted
LONGEST_NAME = 40
UNPRINTABLE = re.compile(r"[^\w .,:;/%+()\[\]#&*<=>?@!'-]+")


def counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def listed(things: Iterable[str]) -> str:
    """Join with commas and "and"; a long list is shortened, with the number of the rest."""
    named = list(things)
    if len(named) > LISTED:
        named = [*named[:LISTED], f"{len(named) - LISTED:,} more"]
    *first, last = named
    return f"{', '.join(first)} and {last}" if first else last


def quoted(name: str) -> str:
    """Quote a column's name, shortened and without unprintable characters."""
    plain = " ".join(UNPRINTABLE.sub(" ", name).split())
    return f"`{plain if len(plain) <= LONGEST_NAME else f'{plain[:LONGEST_NAME]}…'}`"


def ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    teen = number % 100 // 10 == 1
    return f"{number}{'th' if teen else endings.get(number % 10, 'th')}"
