"""Measure the learning curve, and say whether more rows would help."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from bootstrap import DECIMALS, MANY, in_blocks
from clinical.artefacts import Artefacts
from clinical.card import LearningCurve, LearningPoint
from clinical.environment import in_lambda
from clinical.hyperparameters import Model
from clinical.params import Params
from clinical.verdict import Estimate
from rows import Rows
from stage import stage

from retrain.encoding import Matrix, encoded, table_of
from retrain.families import family_of, on_one_thread, regressor_of
from retrain.state import Chosen, Measured, Preprocessed

# With fewer, neither models nor intervals are meaningful.
FEWEST_TRAINING_ROWS = 10
FEWEST_HELD_OUT_ROWS = 30
LOWEST_PRIORITY = 19
IN_MEMORY = 2**27  # bytes of the rows that draws are fitted on at once; fitting takes some times it
DRAWN_AT_ONCE = 1_000_000  # squared errors in memory: 8 MB, whatever the data set's size

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Squared = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]


@stage()
def learning_curve(
    preprocessed: Preprocessed, chosen: Chosen, artefacts: Artefacts, params: Params
) -> Measured:
    """Fit the chosen model on fractions of the training rows, and score the held-out rows."""
    give_way()
    training = Rows(artefacts.read(preprocessed.training), params)
    held_out = Rows(artefacts.read(preprocessed.held_out), params)
    table = table_of(training)
    encoder = family_of(chosen.hyperparameters or params.model, params).encoder(table)
    curve = measured(
        (encoded(encoder, table), training.target()),
        (encoded(encoder, table_of(held_out)), held_out.target()),
        chosen,
        params,
    )
    return Measured(curve=artefacts.write_json("learning_curve.json", curve))


def measured(
    training: tuple[Matrix, Array], held_out: tuple[Matrix, Array], chosen: Chosen, params: Params
) -> LearningCurve:
    """Calculate the curve from encoded rows (n, features) and their outcomes (n,)."""
    rows = len(training[1])
    sizes = {one: round(one * rows) for one in params.learning_curve.fractions}
    fitted_on = {one: size for one, size in sizes.items() if size >= FEWEST_TRAINING_ROWS}
    left_out = tuple(one for one in sizes if one not in fitted_on)
    squared = squared_errors(training, held_out, list(fitted_on.values()), chosen, params)
    estimated = Resampled(squared, params)
    points = tuple(
        LearningPoint(
            fraction=fraction,
            rows=size,
            rmse=estimated.rmse(number),
            draws=tuple(round(float(one), DECIMALS) for one in rmse_of_draws),
        )
        for number, ((fraction, size), rmse_of_draws) in enumerate(
            zip(fitted_on.items(), np.sqrt(squared.mean(axis=-1)), strict=True)
        )
    )
    enough = len(points) > 1 and len(held_out[1]) >= FEWEST_HELD_OUT_ROWS
    change = estimated.change() if enough else None
    fewer_trees = cheaper(chosen, params) != (chosen.hyperparameters or params.model)
    return LearningCurve(
        max_trees=params.learning_curve.max_trees if fewer_trees else None,
        held_out_rows=len(held_out[1]),
        confidence=params.evaluation.confidence,
        points=points,
        left_out=left_out,
        change=change,
        more_rows_help=change is not None and change.high < 0,
        says=sentence(points, change, params),
    )


def squared_errors(
    training: tuple[Matrix, Array],
    held_out: tuple[Matrix, Array],
    sizes: list[int],
    chosen: Chosen,
    params: Params,
) -> Squared:
    """Fit models on the first rows of random orders; return (sizes, draws, held-out rows).

    A draw has one order and one seed for all sizes, so that only the added rows differ; with all
    rows, draws differ by the model's seed.
    """
    (features, target), (asked, recorded) = training, held_out
    hyperparameters = cheaper(chosen, params)
    squared = np.empty((len(sizes), params.learning_curve.draws, len(recorded)))

    def fit(draw: int) -> None:
        order = np.random.default_rng([params.seed, draw]).permutation(len(target))
        seeded = params.model_copy(update={"seed": params.seed + draw})
        for number, size in enumerate(sizes):
            drawn = order[:size]
            model = regressor_of(hyperparameters, seeded).fit(features[drawn], target[drawn])
            squared[number, draw] = (model.predict(asked) - recorded) ** 2

    # Trees are grown outside the interpreter's lock: each core takes a draw, if memory can hold the
    # rows of all draws at once. While it is fitted, each forest replaces the process's
    # warning filters; where two threads do that at once they can get lost, so they are kept here.
    at_once = max(1, min(os.process_cpu_count() or 1, IN_MEMORY // features.nbytes))
    with warnings.catch_warnings(), on_one_thread(), ThreadPoolExecutor(at_once) as cores:
        list(cores.map(fit, range(params.learning_curve.draws)))
    return squared


def cheaper(chosen: Chosen, params: Params) -> Model:
    """Return the chosen hyperparameters with no more trees than the curve needs."""
    return (chosen.hyperparameters or params.model).with_at_most(params.learning_curve.max_trees)


def give_way() -> None:
    """Give a promotion priority if it runs on the same cores, as on a laptop."""
    if in_lambda():
        os.setpriority(os.PRIO_PROCESS, 0, LOWEST_PRIORITY)


class Resampled:
    """Resampled mean squared errors: both held-out rows and draws are resampled.

    All sizes use the same resamples, so that they are compared on equal rows and draws. Source:
    Owen, The pigeonhole bootstrap, 2007, for crossed factors such as rows and draws; it is
    conservative.
    """

    def __init__(self, squared: Squared, params: Params) -> None:
        """Take squared errors (sizes, draws, rows); for many rows, blocks are drawn."""
        sizes, draws, rows = squared.shape
        settings = params.evaluation
        tail = (1 - settings.confidence) / 2
        self._tails = [tail, 1 - tail]
        self._means = squared.mean(axis=(1, 2))
        of_block = None  # how many rows each block has
        if rows > MANY:
            columns = np.vstack([squared.reshape(-1, rows), np.ones(rows)]).T
            *summed, of_block = in_blocks(columns).T
            squared, rows = np.reshape(summed, (sizes, draws, -1)), len(of_block)
        generator = np.random.default_rng(params.seed)
        at_once = max(1, DRAWN_AT_ONCE // rows)
        resampled = []
        for first in range(0, settings.resamples, at_once):
            number = min(at_once, settings.resamples - first)
            of_rows = generator.multinomial(rows, np.full(rows, 1 / rows), number) / rows
            of_draws = generator.multinomial(draws, np.full(draws, 1 / draws), number) / draws
            # How often each was drawn, as weights, for each resample and size.
            means = np.einsum("bd,sdb->sb", of_draws, squared @ of_rows.T)
            resampled.append(means if of_block is None else means / (of_rows @ of_block))
        self._resampled = np.concatenate(resampled, axis=1)

    def rmse(self, size: int) -> Estimate:
        return self._estimate(np.sqrt(self._means[size]), np.sqrt(self._resampled[size]))

    def change(self) -> Estimate:
        """Return the last size's RMSE less the previous one's."""
        before, last = np.sqrt(self._means[-2:])
        resampled_before, resampled_last = np.sqrt(self._resampled[-2:])
        return self._estimate(last - before, resampled_last - resampled_before)

    def _estimate(self, value: float, resampled: Array) -> Estimate:
        low, high = np.quantile(resampled, self._tails)
        value, low, high = (round(float(one), DECIMALS) for one in (value, low, high))
        return Estimate(value=value, low=low, high=high)


def sentence(points: tuple[LearningPoint, ...], change: Estimate | None, params: Params) -> str:
    """Say whether more rows would help, and why."""
    if change is None:
        return "There are too few rows to tell whether more would help."
    before, last = points[-2:]
    which = f"From {before.fraction:.0%} to {last.fraction:.0%} of the training rows, the RMSE"
    decimals = params.target.decimals + 1
    value, low, high = (
        f"{abs(one):.{decimals}f}" for one in (change.value, change.high, change.low)
    )
    if change.high < 0:
        fell = f"fell by {value} {params.unit} ({low} to {high})"
        return f"{which} {fell}: more rows would probably help."
    signed = f"{change.value:+.{decimals}f} {params.unit}"
    interval = f"({change.low:+.{decimals}f} to {change.high:+.{decimals}f})"
    return f"{which} changed by {signed} {interval}: no evidence that more rows would help."
