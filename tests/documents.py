"""The project's Markdown: its pages, the commands that they show, and where their links lead.

Commands stand in blocks marked `console`, each after a `$ `; a line that goes on is indented by
four spaces, and what is not indented is what the command prints. Directly above a block, HTML
comments say why its commands are not run as written, or which test or script runs them:

    <!-- needs: an AWS account -->
    <!-- takes: ten minutes -->
    <!-- run by: tests/integration/test_up.py::test_predict_posts_the_sample_patient -->
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
INDEX = ROOT / "docs/README.md"
MARK = re.compile(r"<!-- (\w+(?: \w+)?): (.+) -->")
FENCE = re.compile(r"^( *)(```+)\s*(\S*).*$")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")
ENDED = re.compile(r"[^\w\- ]")  # what GitHub leaves out of a heading's anchor


@dataclass(frozen=True)
class Command:
    """A command as a shell reads it, and the lines that the page shows of what it prints."""

    page: Path
    line: int
    text: str
    shown: tuple[str, ...]

    def __str__(self) -> str:
        return f"{told(self.page)}:{self.line}: $ {self.text}"


@dataclass(frozen=True)
class Block:
    """A fenced block: in which language, below which marks, and its lines."""

    page: Path
    line: int
    language: str
    marks: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]

    @property
    def commands(self) -> list[Command]:
        found: list[tuple[int, list[str], list[str]]] = []
        for number, line in enumerate(self.lines, self.line + 1):
            if line.startswith("$ "):
                found.append((number, [line[2:]], []))
            elif found and line.startswith("    ") and not found[-1][2]:
                found[-1][1].append(line)
            elif found:
                found[-1][2].append(line)
        return [Command(self.page, at, "\n".join(text), tuple(out)) for at, text, out in found]

    def marked(self, name: str) -> list[str]:
        return [value for key, value in self.marks if key == name]


def told(page: Path) -> str:
    """Name a page as seen from the project's folder."""
    return page.relative_to(ROOT).as_posix()


def pages() -> list[Path]:
    """Give every page, in the order in which they are read: the README's, then the index's."""
    beginning = [ROOT / "README.md", INDEX]
    linked = [target.file for target in links(INDEX) if target.file and target.file.suffix == ".md"]
    others = sorted(
        [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("studies/*/README.md")]
    )
    return list(dict.fromkeys(beginning + linked + others))


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """Read the fenced blocks of a page."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    marks: list[tuple[str, str]] = []
    at = 0
    while at < len(lines):
        if fence := FENCE.match(lines[at]):
            end = next(
                number for number in range(at + 1, len(lines)) if lines[number].strip() == fence[2]
            )
            body = tuple(line.removeprefix(fence[1]) for line in lines[at + 1 : end])
            found.append(Block(page, at + 1, fence[3], tuple(marks), body))
            at = end
            marks = []
        elif mark := MARK.fullmatch(lines[at].strip()):
            marks.append((mark[1], mark[2]))
        else:
            marks = []
        at += 1
    return tuple(found)


def run_as_written(page: Path) -> list[Command]:
    """Give the commands of a page that nothing marks, in order."""
    unmarked = [one for one in blocks(page) if one.language == "console" and not one.marks]
    return [command for block in unmarked for command in block.commands]


def prose(page: Path) -> str:
    """Give a page's text without its fenced blocks."""
    lines, open_fence = [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = FENCE.match(line)
        if open_fence:
            open_fence = "" if line.strip() == open_fence else open_fence
        elif fence:
            open_fence = fence[2]
        else:
            lines.append(line)
    return "\n".join(lines)


@dataclass(frozen=True)
class Link:
    """Where a link leads: a file of the project, or None for another place; and to which anchor."""

    text: str
    file: Path | None
    anchor: str


def links(page: Path) -> Iterator[Link]:
    """Find the links and pictures of a page."""
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "`…`", prose(page))):
        if "://" in target or target.startswith("mailto:"):
            yield Link(target, None, "")
            continue
        path, _, anchor = target.partition("#")
        yield Link(target, (page.parent / path).resolve() if path else page, anchor)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Name a page's headings as GitHub does: the second of a name ends in -1."""
    found: dict[str, int] = {}
    names = []
    for heading in re.findall(r"^#+ (.+?)\s*$", prose(page), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = ENDED.sub("", words.lower()).replace(" ", "-")
        names.append(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return frozenset(names)
