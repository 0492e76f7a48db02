"""The report's plots, as SVG: distinguished by shape and dashes, so that no colour is needed."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from clinical.report.markup import Markup, joined, tag
from clinical.report.wording import plain
from clinical.verdict import Calibration, CurvePoint, Estimate, Wins

WIDTH, HEIGHT = 420, 320  # small: on a phone it shrinks, and its letters with it
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 46
TICKS = 5  # about so many on an axis
SPARK = (150, 18)  # of a drawing in a table's row

type Written = Callable[[float], str]


@dataclass(frozen=True)
class Axis:
    """The ends of an axis, in its own units and on the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[float]:
        """Return round numbers along the axis."""
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(one * power for one in (1, 2, 2.5, 5, 10) if one * power >= rough)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(number * step, 12) for number in range(first, last + 1)]


def around(values: Iterable[float], margin: float = 0.04) -> tuple[float, float]:
    """Return the range of values with a margin; never an empty range."""
    found = list(values)
    low, high = min(found), max(found)
    room = (high - low) * margin or max(abs(low), 1) * margin
    return low - room, high + room


@dataclass(frozen=True)
class Frame:
    """A plot's axes, with their labels."""

    x: Axis
    y: Axis
    x_title: str
    y_title: str

    @classmethod
    def of(
        cls, xs: tuple[float, float], ys: tuple[float, float], x_title: str, y_title: str
    ) -> "Frame":
        return cls(
            Axis(*xs, LEFT, WIDTH - RIGHT), Axis(*ys, HEIGHT - BOTTOM, TOP), x_title, y_title
        )

    def drawn(self, says: str, *inside: Markup) -> Markup:
        """Draw the plot; `says` is its text alternative."""
        return tag(
            "svg",
            joined(self._grid()),
            *inside,
            class_="plot",
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=says,
        )

    def _grid(self) -> Iterator[Markup]:
        left, right = self.x.start, self.x.end
        bottom, top = self.y.start, self.y.end
        for tick in self.x.ticks:
            at = self.x(tick)
            yield line(at, bottom, at, top, "grid")
            yield tag("text", plain(tick), x=at, y=bottom + 17, text_anchor="middle")
        for tick in self.y.ticks:
            at = self.y(tick)
            yield line(left, at, right, at, "grid")
            yield tag("text", plain(tick), x=left - 6, y=at + 4, text_anchor="end")
        yield tag("text", self.x_title, x=(left + right) / 2, y=HEIGHT - 8, text_anchor="middle")
        middle = (top + bottom) / 2
        turned = f"rotate(-90 13 {middle:g})"
        yield tag("text", self.y_title, x=13, y=middle, text_anchor="middle", transform=turned)

    def path(self, points: Iterable[tuple[float, float]], class_: str) -> Markup:
        steps = " ".join(f"{self.x(x):g},{self.y(y):g}" for x, y in points)
        return tag("polyline", points=steps, class_=class_)

    def whisker(self, x: float, estimate: Estimate) -> Markup:
        """Draw an estimate as a dot on its interval, which ends in bars."""
        at, low, high = self.x(x), self.y(estimate.low), self.y(estimate.high)
        return joined(
            (
                line(at, low, at, high, "whisker"),
                line(at - 4, low, at + 4, low, "whisker"),
                line(at - 4, high, at + 4, high, "whisker"),
                tag("circle", cx=at, cy=self.y(estimate.value), r=4, class_="dot"),
            )
        )

    def band(self, curve: Sequence[CurvePoint]) -> Markup:
        """Draw the interval around a smooth curve."""
        around_it = [(one.predicted, one.recorded.high) for one in curve]
        around_it += [(one.predicted, one.recorded.low) for one in reversed(curve)]
        steps = " ".join(f"{self.x(x):g},{self.y(y):g}" for x, y in around_it)
        return tag("polygon", points=steps, class_="band")


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=f"{x1:g}", y1=f"{y1:g}", x2=f"{x2:g}", y2=f"{y2:g}", class_=class_)


def calibration(found: Calibration, curve: Sequence[CurvePoint], unit: str, target: str) -> Markup:
    """Draw recorded against predicted scores: bins, and the smooth curve with its band."""
    places = [(one.predicted, one.recorded) for one in found.bins]
    places += [(one.predicted, one.recorded) for one in curve]
    ends = around(end for at, one in places for end in (at, one.low, one.high))
    frame = Frame.of(ends, ends, f"Predicted, {unit}", f"Recorded, {unit}")
    middle = [(one.predicted, one.recorded.value) for one in curve]
    smooth = [frame.band(curve), frame.path(middle, "line")] if curve else []
    return frame.drawn(
        f"{target}: recorded against predicted, in {len(found.bins)} bins of held-out rows; see "
        "the table below for the numbers.",
        frame.path([(ends[0], ends[0]), (ends[1], ends[1])], "ideal"),
        *smooth,
        *(frame.whisker(one.predicted, one.recorded) for one in found.bins),
    )


def wins(found: Wins) -> Markup:
    """Draw how often the first of two patients did better, against the predicted probability."""
    whole = (0.0, 1.0)
    frame = Frame.of(whole, whole, "Predicted win probability", "Observed frequency")
    return frame.drawn(
        "How often the first of two patients did better, against the predicted probability; see "
        "the table below for the numbers.",
        frame.path([(0, 0), (1, 1)], "ideal"),
        *(frame.whisker(one.predicted, one.won) for one in found.bins if one.won),
    )


def learning(points: Sequence[tuple[int, Estimate]], average: float, unit: str) -> Markup:
    """Draw a model's error against its number of training rows.

    average: the average baseline's error.
    """
    ends = [end for _, one in points for end in (one.low, one.high)]
    frame = Frame.of(
        around((rows for rows, _ in points), 0.06),
        around([*ends, average]),
        "Training rows",
        f"RMSE, {unit}",
    )
    xs = (frame.x.low, frame.x.high)
    return frame.drawn(
        "The error on held-out rows against the number of training rows; see the table below for "
        "the numbers.",
        frame.path([(one, average) for one in xs], "ideal"),
        frame.path([(rows, one.value) for rows, one in points], "line"),
        *(frame.whisker(rows, one) for rows, one in points),
    )


@dataclass(frozen=True)
class Strip:
    """Draws the estimates in a table's column, all on one scale.

    reference: the value to compare with, drawn as a dashed line.
    """

    low: float
    high: float
    reference: float

    @classmethod
    def of(cls, estimates: Iterable[Estimate | None], reference: float) -> "Strip":
        ends = [end for one in estimates if one for end in (one.low, one.high)]
        return cls(*around([*ends, reference]), reference)

    def __call__(self, estimate: Estimate | None) -> Markup:
        """Draw one estimate, whose numbers are in the same row."""
        width, height = SPARK
        axis, middle = Axis(self.low, self.high, 6, width - 6), height / 2
        at = axis(self.reference)
        parts = [line(at, 0, at, height, "ideal")]
        if estimate:
            low, high = axis(estimate.low), axis(estimate.high)
            parts += [
                line(low, middle, high, middle, "whisker"),
                tag("circle", cx=axis(estimate.value), cy=f"{middle:g}", r=4, class_="dot"),
            ]
        return tag(
            "svg",
            *parts,
            class_="strip",
            viewBox=f"0 0 {width} {height}",
            width=width,
            height=height,
            aria_hidden="true",
        )
