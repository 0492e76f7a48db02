"""The distribution of a version's data, for later comparison.

It is an annex of the version, `population.json`, so that versions from earlier releases get one as
soon as their data are trained on again.
"""

from collections.abc import Sequence

from clinical.frozen import Frozen


class Levels(Frozen):
    """A column's counts by level.

    column: a feature or, for scores, the target. over: the columns that the scores are averaged
    over. names: of the levels. edges: for a number, the boundaries between levels; a value equal to
    an edge belongs to the level above; empty if the levels are the column's own values. counts: of
    rows, by level; if the column may be missing, the last level is `missing`.
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
    """Out-of-fold predictions of training rows, in units of the target.

    over: the columns that were treated as unknown. predicted: not clamped.
    """

    over: tuple[str, ...] = ()
    predicted: tuple[float, ...]
    recorded: tuple[float, ...]


class Population(Frozen):
    """Features of all rows, scores of held-out rows, and out-of-fold predictions.

    average: of the training rows' target, the prediction of the average baseline.
    score_mean, score_variance: of the held-out rows' scores, with nothing averaged over.
    """

    rows: int
    average: float
    features: tuple[Levels, ...]
    scores: tuple[Levels, ...]
    score_mean: float
    score_variance: float
    left_out: tuple[LeftOut, ...]

    def left_out_of(self, over: Sequence[str]) -> LeftOut | None:
        """Return the out-of-fold rows that were averaged over the same columns."""
        return next((one for one in self.left_out if one.over == tuple(over)), None)
