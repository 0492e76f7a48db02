"""What a version's data were like, for what comes later to be set beside.

It is an annex of the version, `population.json`, so that one which an earlier release published has
it too, once its data were trained on again.
"""

from collections.abc import Sequence

from clinical.frozen import Frozen


class Levels(Frozen):
    """How often a column said what, in so many rows.

    column: a feature or, of scores, the target. over: the columns that those scores are averaged
    over. names: of the levels. edges: where it is a number, between the first level and the second,
    and so on: a value equal to an edge is in the level above it; empty where the levels are the
    column's own values. counts: of rows, by level; a level that says `missing` is the last, where
    the column may be missing.
    """

    column: str
    over: tuple[str, ...] = ()
    names: tuple[str, ...]
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...]

    @property
    def rows(self) -> int:
        return sum(self.counts)


class LeftOut(Frozen):
    """Training rows as models predicted them that were not fitted on them, in units of the target.

    over: the columns that were taken as unknown. predicted: not clamped.
    """

    over: tuple[str, ...] = ()
    predicted: tuple[float, ...]
    recorded: tuple[float, ...]


class Population(Frozen):
    """Features of all rows, scores of the held-out rows, and rows that were left out of fits.

    average: of the training rows' target, which is what the plain average predicts.
    score_mean, score_variance: of the held-out rows' scores, nothing averaged over.
    """

    rows: int
    average: float
    features: tuple[Levels, ...]
    scores: tuple[Levels, ...]
    score_mean: float
    score_variance: float
    left_out: tuple[LeftOut, ...]

    def left_out_of(self, over: Sequence[str]) -> LeftOut | None:
        """Find the left-out rows that were averaged over the same columns."""
        return next((one for one in self.left_out if one.over == tuple(over)), None)
