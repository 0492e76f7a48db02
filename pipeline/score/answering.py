"""Answer the rows of a file, and count the results."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from clinical.params import Params
from violations import FIRST_ROWS, Violation

from score.captured import Predictions, hex_ids
from score.patients import Fault
from score.scoring import Answers, Array, Scoring
from score.state import Counts, Reading, Scores, Written
from score.texts import Lines

BANDS = 20  # of the target's scale, in which scores are counted


class Answering:
    """Answers the rows of one part, in several calls, and captures the predictions."""

    def __init__(
        self, scoring: Scoring, params: Params, reading: Reading, predictions: Predictions
    ) -> None:
        self._scoring = scoring
        self._predictions = predictions
        self._params = params
        self._reading = reading
        self._rows = self._scored = self._averaged = self._empty = self._headers = 0
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._first: dict[tuple[str, str | None], list[int]] = {}
        self._bands = np.zeros(BANDS, np.int64)
        self._sum = self._sum_of_squares = 0.0
        self._min, self._max = math.inf, -math.inf

    def answered(self, lines: Lines) -> Answers:
        """Answer lines of a text; a row that does not fit the header has only that fault."""
        width = len(self._reading.header)
        misfits = {
            row: Fault("row_width", None, f"The row has {cells} cells, but the header has {width}")
            for row, cells in lines.misfits.items()
        }
        self._empty += len(lines.empty)
        self._headers += len(lines.headers)
        return self.answers(lines.cells, lines.numbers, misfits)

    def answers(
        self,
        cells: Mapping[str, Sequence[str]],
        numbers: Sequence[int],
        misfits: Mapping[int, Fault],
    ) -> Answers:
        """Answer rows, and count them.

        cells: of the rows (n,), by column. numbers: of the rows, for problems. misfits: rows whose
        cells cannot be assigned to columns.
        """
        answers = self._scoring.answers(cells, len(numbers))
        answers.faults.update({row: (fault,) for row, fault in misfits.items()})
        for row, faults in sorted(answers.faults.items()):
            answers.scores[row] = math.nan
            for fault in faults:
                rule = fault.rule, fault.column
                self._counts[rule] += 1
                first = self._first.setdefault(rule, [])
                if len(first) < FIRST_ROWS:
                    first.append(numbers[row])
        scores = np.array(answers.scores)
        ids = self._entered(answers, scores)
        self._count(answers, scores)
        return replace(answers, ids=ids)

    def _entered(self, answers: Answers, scores: Array) -> list[str]:
        """Capture the predictions among the answers, and return the ids of all rows."""
        ids = self._predictions.ids(self._rows, len(scores))
        figures = scores, np.array(answers.lows), np.array(answers.highs)
        rows = np.flatnonzero(~np.isnan(scores))
        if len(rows) == len(scores):
            self._predictions.enter(ids, answers.codes, figures, answers.averaged)
        else:
            self._predictions.enter(
                ids[rows],
                {name: codes[rows] for name, codes in answers.codes.items()},
                [figure[rows] for figure in figures],
                [answers.averaged[row] for row in rows.tolist()],
            )
        return hex_ids(ids)

    def _count(self, answers: Answers, scores: Array) -> None:
        scored = scores[~np.isnan(scores)]
        self._rows += len(scores)
        self._scored += len(scored)
        self._averaged += sum(
            bool(names) and not math.isnan(score)
            for names, score in zip(answers.averaged, answers.scores, strict=True)
        )
        if len(scored):
            counted, _ = np.histogram(scored, BANDS, self._params.scale)
            self._bands += counted
            self._sum += math.fsum(scored)
            self._sum_of_squares += math.fsum(scored**2)
            self._min, self._max = min(self._min, scored.min()), max(self._max, scored.max())

    def counts(self, written: Written) -> Counts:
        """Return the counts of the rows' results.

        written: where the answers are stored, without their number.
        """
        order = {name: place for place, name in enumerate(self._params.asked)}
        return Counts(
            written=written.model_copy(update={"rows": self._rows}),
            rows=self._rows,
            scored=self._scored,
            refused=self._rows - self._scored,
            averaged=self._averaged,
            empty=self._empty,
            headers=self._headers,
            problems=tuple(
                Violation(rule=rule, column=column, count=count, first_rows=tuple(first))
                for (rule, column), count in sorted(
                    self._counts.items(),
                    key=lambda one: (order.get(one[0][1] or "", -1), one[0][0]),
                )
                for first in [self._first[rule, column]]
            ),
            scores=Scores(
                sum=self._sum,
                sum_of_squares=self._sum_of_squares,
                min=float(self._min) if self._scored else None,
                max=float(self._max) if self._scored else None,
                counts=tuple(self._bands.tolist()),
            ),
        )
