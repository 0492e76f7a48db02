"""How often the learning curve says that more rows would help: where they would, and where not.

`make bench-curve`. Data sets are made up, with a signal that a model of so many features has learnt
wholly or not. What is simulated is all that the stage does after it fitted: its draws, its
resampling, its decision. Fitted is least squares, of which thousands take no time; `--forests` has
the forest of params.yaml fitted instead, on fewer data sets.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
from clinical.params import Params, params
from retrain.stages import learning_curve
from retrain.state import Chosen
from sklearn.linear_model import LinearRegression

WHERE = "retrain.stages.learning_curve.regressor_of"
TREES = 20  # of a forest here: enough to tell, and a tenth of the time


@dataclass(frozen=True)
class Case:
    """Data sets of so many training and held-out rows, whose outcomes are noise and a signal.

    features: all of which count; least squares learns each, at the price of its rows.
    """

    rows: int
    held_out: int
    features: int


CASES = (
    *(Case(rows, rows // 4, 1) for rows in (120, 400, 800, 4000)),  # flat: one feature is learnt
    *(Case(rows, rows // 4, rows // 10) for rows in (120, 400, 800, 4000)),
    *(Case(rows, rows // 4, rows // 4) for rows in (120, 400, 800)),
)
OF_FORESTS = (Case(800, 200, 0), Case(800, 200, 6), Case(4000, 1000, 6))


def curves(case: Case, number: int, decisions: Params) -> Iterator[tuple[bool, float]]:
    """Make data sets, and tell of each: would more rows help, and the change."""
    for seed in range(number):
        random = np.random.default_rng([seed, case.rows, case.features])
        rows = case.rows + case.held_out
        features = random.normal(size=(rows, max(1, case.features)))
        signal = features.sum(axis=1) if case.features else np.zeros(rows)
        target = signal + random.normal(size=rows)
        found = learning_curve.measured(
            (features[: case.rows], target[: case.rows]),
            (features[case.rows :], target[case.rows :]),
            Chosen(),
            decisions,
        )
        if found.change:
            yield found.more_rows_help, found.change.value


def told(case: Case, number: int, decisions: Params) -> str:
    found = list(curves(case, number, decisions))
    helps, changes = (np.array(one) for one in zip(*found, strict=True))
    return (
        f"{case.rows:>6,} rows, {case.held_out:>5,} held out, {case.features:>3} features: RMSE "
        f"{changes.mean():+.4f} on average, “would help” in {helps.mean():.1%} of {len(found):,}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forests", action="store_true")
    parser.add_argument("--sets", type=int, default=1000)
    arguments = parser.parse_args()
    two = params().learning_curve.model_copy(update={"fractions": (0.75, 1.0)})
    model = params().model.model_copy(update={"n_estimators": TREES})
    decisions = params().model_copy(update={"learning_curve": two, "model": model})
    if arguments.forests:
        for case in OF_FORESTS:
            print(told(case, arguments.sets, decisions), flush=True)
        return
    with mock.patch(WHERE, return_value=LinearRegression()):
        for case in CASES:
            print(told(case, arguments.sets, decisions), flush=True)


if __name__ == "__main__":
    main()
