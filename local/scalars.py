"""Write words, numbers and lists as YAML, quoted only if they must be."""

import re

import yaml

PLAIN = re.compile(r"\w(?:[\w /.()+%-]*[\w)%])?")
WIDTH = 100


def word(text: str) -> str:
    """Write a word; in quotes if YAML would read it as something else."""
    if PLAIN.fullmatch(text) and _is_read_back(text):
        return text
    return f'"{"".join(map(_escaped, text))}"'


def number(value: float, decimals: int = 0) -> str:
    """Write a number with at most this many decimals, and never with an exponent."""
    written = f"{value:.{decimals}f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def inline(items: list[str]) -> str:
    """Write a list of written items, in one line."""
    return f"[{', '.join(items)}]"


def setting(key: str, value: str | list[str], indent: str) -> list[str]:
    """Return the lines of a key with its value; a list goes on one line if it fits."""
    if isinstance(value, str):
        return [f"{indent}{key}: {value}"]
    line = f"{indent}{key}: {inline(value)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{indent}{key}:", *(f"{indent}  - {item}" for item in value)]


def _is_read_back(text: str) -> bool:
    try:
        return bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):  # such as 2026-02-30, which is not a valid day
        return False


def _escaped(letter: str) -> str:
    if letter in {'"', "\\"}:
        return f"\\{letter}"
    if letter == " " or (
        letter.isprintable() and not yaml.reader.Reader.NON_PRINTABLE.match(letter)
    ):
        return letter
    code = ord(letter)
    if code <= 0xFF:  # noqa: PLR2004
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
