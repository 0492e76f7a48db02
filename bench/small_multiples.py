"""Small multiples: many plots on the same logarithmic axes, each beside linear growth.

One SVG that stands alone: it has a background of its own, so that a dark page can show it too.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clinical.report.figures import Axis, line
from clinical.report.markup import Markup, joined, tag

COLUMNS = 6
CELL = (136, 96)  # of a plot within its frame
GAP = (14, 34)
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 12, 16
HEAD = 40  # above each group, for its title and its first row's names
FOOT = 44  # below each group, for the ticks and the title of its axis
WIDTH = LEFT + COLUMNS * CELL[0] + (COLUMNS - 1) * GAP[0] + RIGHT
LETTER = 5.6  # how wide one is, about
STYLE = """
text { font: 11px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #3b434b }
.title { font-size: 14px; font-weight: 600; fill: #1f2328 }
.name { font-weight: 600; fill: #1f2328 }
.paper { fill: #ffffff; stroke: #d0d7de }
.frame { fill: none; stroke: #d0d7de }
.grid { stroke: #eef1f4 }
.linear { stroke: #87919b; fill: none }
.limit { stroke: #b35900; stroke-dasharray: 5 3 }
.line { stroke: #0b5cad; stroke-width: 2; fill: none }
.dot { fill: #0b5cad }
"""


@dataclass(frozen=True)
class Plot:
    """What is drawn in one frame.

    points: values by the rows that they were measured at, the fewest first. limit: what they must
    not reach.
    """

    name: str
    points: Mapping[int, float]
    limit: float | None = None


@dataclass(frozen=True)
class Group:
    """Plots that have their axes in common; what grows is in `unit`."""

    title: str
    unit: str
    plots: Sequence[Plot]

    @property
    def lines(self) -> int:
        return math.ceil(len(self.plots) / COLUMNS)

    @property
    def height(self) -> int:
        return HEAD + self.lines * CELL[1] + (self.lines - 1) * GAP[1] + FOOT

    @property
    def ends(self) -> tuple[int, int]:
        """Give the powers of ten between which all values are."""
        values = [value for one in self.plots for value in one.points.values()]
        values += [one.limit for one in self.plots if one.limit]
        return powers(value for value in values if value > 0)


def powers(values: Iterable[float]) -> tuple[int, int]:
    """Give the powers of ten below and above some values, never the same."""
    found = [math.log10(one) for one in values]
    low = math.floor(min(found))
    return low, max(math.ceil(max(found)), low + 1)


def drawn(groups: Sequence[Group], says: str) -> Markup:
    """Draw groups below each other; `says` is for whoever cannot see them."""
    height = TOP + sum(one.height for one in groups) + BOTTOM
    parts: list[Markup] = []
    top = TOP
    parts.append(key(TOP + 12, limited=any(one.limit for group in groups for one in group.plots)))
    for group in groups:
        parts += list(_group(group, top))
        top += group.height
    return tag(
        "svg",
        tag("style", Markup(STYLE)),
        tag("rect", class_="paper", x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, rx=6),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        width=WIDTH,
        height=height,
        role="img",
        aria_label=says,
    )


def key(middle: float, *, limited: bool) -> Markup:
    """Say what each kind of line is, at the right of the first title."""
    kinds = {"line": "measured", "linear": "linear growth to the last value", "limit": "limit"}
    if not limited:
        del kinds["limit"]
    parts = []
    at = float(WIDTH - RIGHT)
    for kind, says in reversed(kinds.items()):
        at -= LETTER * len(says)
        parts.append(tag("text", says, x=at, y=middle + 4))
        parts.append(line(at - 32, middle, at - 6, middle, kind))
        if kind == "line":
            parts.append(tag("circle", cx=at - 19, cy=middle, r=3, class_="dot"))
        at -= 50
    return tag("g", *parts)


def _group(group: Group, top: int) -> Iterator[Markup]:
    rows = powers(number for one in group.plots for number in one.points)
    first = top + HEAD
    yield tag("text", group.title, x=LEFT, y=top + 16, class_="title")
    for number, plot in enumerate(group.plots):
        down, across = divmod(number, COLUMNS)
        left, up = LEFT + across * (CELL[0] + GAP[0]), first + down * (CELL[1] + GAP[1])
        x = Axis(*rows, left, left + CELL[0])
        y = Axis(*group.ends, up + CELL[1], up)
        yield _plot(plot, x, y)
        if not across:
            yield joined(_ticks_beside(y, left))
        if down == group.lines - 1:
            yield joined(_ticks_below(x, up + CELL[1]))
    middle = first + (group.height - HEAD - FOOT) / 2
    turned = f"rotate(-90 16 {middle:g})"
    yield tag("text", group.unit, x=16, y=middle, text_anchor="middle", transform=turned)


def _plot(plot: Plot, x: Axis, y: Axis) -> Markup:
    places = [
        (x(math.log10(rows)), y(math.log10(value)))
        for rows, value in plot.points.items()
        if value > 0
    ]
    steps = " ".join(f"{one:g},{other:g}" for one, other in places)
    inside = [
        tag("rect", class_="frame", x=x.start, y=y.end, width=CELL[0], height=CELL[1]),
        tag("text", plot.name, x=x.start, y=y.end - 6, class_="name"),
        *(line(x(one), y.start, x(one), y.end, "grid") for one in range(int(x.low), int(x.high))),
        *(line(x.start, y(one), x.end, y(one), "grid") for one in range(int(y.low), int(y.high))),
        linear(plot, x, y),
    ]
    if plot.limit:
        at = y(math.log10(plot.limit))
        inside.append(line(x.start, at, x.end, at, "limit"))
    inside.append(tag("polyline", points=steps, class_="line"))
    inside += [tag("circle", cx=one, cy=other, r=3, class_="dot") for one, other in places]
    return tag("g", tag("title", plot.name), *inside)


def linear(plot: Plot, x: Axis, y: Axis) -> Markup:
    """Draw what would have come to the last value by growing linearly: a slope of 1."""
    rows, value = (math.log10(one) for one in list(plot.points.items())[-1])
    start = max(x.low, rows - (value - y.low))  # it begins where it enters the frame
    return line(x(start), y(value - (rows - start)), x(rows), y(value), "linear")


def _ticks_beside(y: Axis, left: float) -> Iterator[Markup]:
    for power in range(int(y.low), int(y.high) + 1):
        at = y(power) + 4
        yield tag("text", short(10.0**power), x=left - 6, y=at, text_anchor="end")


def _ticks_below(x: Axis, bottom: float) -> Iterator[Markup]:
    powers_of_ten = range(int(x.low), int(x.high) + 1)
    for power in powers_of_ten:
        # The outer ones stand inwards, so that they meet none of the next plot's.
        anchor = {powers_of_ten[0]: "start", powers_of_ten[-1]: "end"}.get(power, "middle")
        text = short(10.0**power)
        yield tag("text", text, x=x(power), y=bottom + 14, text_anchor=anchor)
    yield tag("text", "rows", x=(x.start + x.end) / 2, y=bottom + 28, text_anchor="middle")


def short(value: float) -> str:
    """Write a power of ten in few letters."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
