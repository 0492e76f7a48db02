"""Write a version's model card, as data and as Markdown."""

import json
from collections.abc import Iterator
from typing import Any

from card_parts import shown, table
from clinical.card import (
    Card,
    Data,
    Lineage,
    Overview,
    StageRun,
    Training,
    Tuning,
    TuningCandidate,
)
from clinical.params import Params
from clinical.reference import Conformal, Reference
from clinical.registry import LEARNING_CURVE
from clinical.release import release
from clinical.verdict import (
    Calibration,
    CurvePoint,
    Evaluation,
    Replayed,
    ReplayedGroup,
    Verdict,
    Wins,
)
from wording import counted

from retrain.state import Ingested, Preprocessed, Trained, Validated

PLOT_WIDTH = 61  # characters
INTENDED_USE = (
    "Research on recorded treatments: to compare what the data show, with its uncertainty. "
    "Not for diagnosis, and not treatment advice."
)


def card_of(  # noqa: PLR0913, PLR0917 - everything that is known
    version: str,
    ingested: Ingested,
    validated: Validated,
    preprocessed: Preprocessed,
    trained: Trained,
    evaluation: Evaluation,
    reference: Reference,
    tuning: bytes | None,
    lineage: bytes,
    params: Params,
) -> Card:
    """Collect the stages' findings about a version."""
    verdict, target = evaluation.verdict, preprocessed.target
    lowest, highest = params.scale
    support = [combination.training_rows for combination in reference.combinations]
    return Card(
        model_version=version,
        release=release(),
        overview=Overview(
            name=params.study.title,
            predicts=f"{params.target.column}, {lowest:g} to {highest:g}, from "
            + ", ".join(params.features),
            algorithm=f"{trained.hyperparameters.ALGORITHM}, served as ONNX",
            intended_use=INTENDED_USE,
            limits=(*_limits(verdict, support, validated, params), *params.study.limits),
        ),
        data=Data(
            sha256=ingested.dataset.sha256,
            rows=preprocessed.rows,
            outcomes=validated.outcomes,
            training_rows=preprocessed.rows - verdict.rows,
            held_out_rows=verdict.rows,
            score_mean=target.mean,
            score_std=target.std,
            score_min=target.min,
            score_max=target.max,
            imputed={},
            missing=preprocessed.missing,
            combinations=len(support),
            combinations_in_one_training_row=support.count(1),
        ),
        training=Training(
            hyperparameters=trained.hyperparameters,
            seed=params.seed,
            cross_validation_folds=trained.cross_validation.folds,
            cross_validation_rmse=trained.cross_validation.rmse,
            cross_validation_r2=trained.cross_validation.r2,
            tuning=Tuning.model_validate_json(tuning) if tuning else None,
        ),
        interval=reference.interval,
        verdict=verdict,
        subgroups=evaluation.subgroups,
        simultaneous=evaluation.simultaneous,
        calibration_curve=evaluation.calibration_curve,
        importances=evaluation.importances,
        replayed=evaluation.replayed,
        lineage=_lineage(json.loads(lineage)),
    )


def _limits(
    verdict: Verdict, support: list[int], validated: Validated, params: Params
) -> Iterator[str]:
    if not verdict.beats_average:
        yield (
            "The model does not beat the average baseline: do not interpret differences between "
            "its scores as differences between patients."
        )
    known = [kind.told_range(name) for name, kind in params.features.items()]
    if params.roles.recorded_together:
        seldom = support.count(0) + support.count(1)
        known.append(
            f"{len(support)} recorded treatments, {seldom} of them in at most one training row"
        )
    if told := [one for one in known if one]:
        *rest, last = told
        yield f"The model covers {', '.join(rest)}{', and ' if rest else ''}{last}."
    if validated.outcomes:
        yield (
            f"{validated.outcomes:,} of the {validated.rows:,} rows for training and evaluation "
            "are outcomes of predictions that this system made. Treatments may have been chosen "
            "with its help, so that the model is influenced by its own predictions."
        )


def _lineage(lineage: dict[str, Any]) -> Lineage:
    return Lineage(
        execution=lineage["execution"],
        params_sha256=lineage["params_sha256"],
        stages={
            name: StageRun(
                fingerprint=entry["fingerprint"],
                from_cache_of=entry["from_cache_of"],
                wrote={
                    field: part["sha256"]
                    for field, part in (entry["output"] or {}).items()
                    if isinstance(part, dict) and "sha256" in part
                },
            )
            for name, entry in lineage["stages"].items()
        },
    )


def markdown(card: Card) -> str:
    """Render a card for people."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Card) -> Iterator[str]:
    overview, data, training, verdict = card.overview, card.data, card.training, card.verdict
    yield f"# {overview.name}: {card.model_version}\n"
    yield f"Predicts {overview.predicts}. {overview.algorithm}.\n"
    yield f"## Verdict: {verdict.decision.replace('_', ' ')}\n"
    yield from (f"- {reason}" for reason in verdict.reasons)
    yield f"\n{verdict.rows:,} held-out rows, {verdict.confidence:.0%} bootstrap intervals:\n"
    columns = [("this model", verdict.candidate), ("average baseline", verdict.average)]
    if verdict.baseline:
        columns.append((verdict.baseline.name, verdict.baseline.scores))
    if verdict.champion and verdict.champion.scores:
        columns.append(
            (
                f"{verdict.champion.version} on {verdict.champion.rows} of them",
                verdict.champion.scores,
            )
        )
    yield from table(
        ("", "RMSE", "MAE", "R²"),
        ((name, shown(one.rmse), shown(one.mae), shown(one.r2)) for name, one in columns),
    )
    yield f"\nSkill, 1 - RMSE / RMSE of the average baseline: {shown(verdict.skill)}.\n"
    yield (
        f"The {card.interval.coverage:.0%} prediction interval is the score ± "
        f"{card.interval.half_width:.2f}, from {card.interval.residuals:,} residuals of "
        f"{card.interval.folds}-fold cross-validation.\n"
    )
    yield from _by_group(card.interval)
    yield "## Intended use and limitations\n"
    yield f"{overview.intended_use}\n"
    yield from (f"- {limit}" for limit in overview.limits)
    if verdict.calibration:
        yield from _calibration(verdict.calibration, card.calibration_curve, verdict.confidence)
    if verdict.wins:
        yield from _wins(verdict.wins)
    yield "\n## Errors by subgroup\n"
    yield from _subgroups(card)
    if verdict.replay:
        yield from _replay(verdict.replay, card.replayed, verdict.confidence)
    yield "\n## Permutation importance\n"
    yield "The increase in RMSE when the feature is shuffled.\n"
    yield from table(
        ("feature", "mean", "standard deviation"),
        (
            (one.feature, f"{one.mean:.4f}", f"{one.std:.4f}")
            for one in sorted(card.importances, key=lambda one: -one.mean)
        ),
    )
    yield "\n## Data\n"
    yield (
        f"{data.rows:,} rows: {data.training_rows:,} for training and {data.held_out_rows:,} held "
        f"out.{_of_outcomes(data)} Scores from {data.score_min:g} to {data.score_max:g}, mean "
        f"{data.score_mean:.2f}, standard deviation {data.score_std:.2f}. {data.combinations} "
        "recorded treatments, "
        f"{data.combinations_in_one_training_row} of them in only one training row. SHA-256 "
        f"`{data.sha256}`.\n"
    )
    yield from (f"- {count} cells of {name} are missing." for name, count in _missing(data))
    yield "## Training\n"
    yield f"Seed {training.seed}, {_named(training.hyperparameters.model_dump())}.\n"
    yield (
        f"{training.cross_validation_folds}-fold cross-validation on the training rows: RMSE "
        f"{training.cross_validation_rmse:.3f}, R² {training.cross_validation_r2:.3f}.\n"
    )
    if training.tuning:
        yield from _tuning(training.tuning)
    yield (
        f"Whether more rows would help is measured in parallel with the promotion: see "
        f"`models/{card.model_version}/{LEARNING_CURVE}`, and `learning_curve` in GET /model.\n"
    )
    yield "## Lineage\n"
    yield (
        f"Execution `{card.lineage.execution}`, params.yaml `{card.lineage.params_sha256[:16]}`"
        f"{f', release {card.release} of the system' if card.release else ''}.\n"
    )
    yield from table(
        ("stage", "wrote", "SHA-256"),
        (
            (name, field, f"`{sha256[:16]}`")
            for name, stage in card.lineage.stages.items()
            for field, sha256 in stage.wrote.items()
        ),
    )


def _by_group(interval: Conformal) -> Iterator[str]:
    if not interval.groups:
        return
    yield (
        f"Groups of {' and '.join(interval.by)} with enough rows have intervals of their own; the "
        "others have the one above.\n"
    )
    yield from table(
        ("group", "half-width", "residuals"),
        (
            (" and ".join(one.of), f"{one.half_width:.2f}", f"{one.residuals:,}")
            for one in interval.groups
        ),
    )
    yield ""


def _calibration(
    calibration: Calibration, curve: tuple[CurvePoint, ...], confidence: float
) -> Iterator[str]:
    yield "\n## Calibration\n"
    yield (
        "Recorded compared with predicted scores on the held-out rows, with pointwise "
        f"{confidence:.0%} intervals. Ideally the intercept is 0, the slope is 1, and the "
        "difference of the means, recorded less predicted, is 0.\n"
    )
    yield from table(
        ("intercept", "slope", "difference of the means"),
        [map(shown, (calibration.intercept, calibration.slope, calibration.in_the_large))],
    )
    yield ""
    yield from table(
        ("mean predicted", "mean recorded", "rows"),
        ((f"{one.predicted:.3f}", shown(one.recorded), one.rows) for one in calibration.bins),
    )
    if curve:
        yield "\nThe smoothed curve: `o` recorded, `-` its interval, `|` predicted.\n"
        yield "```text"
        yield from _plot(curve)
        yield "```"


def _plot(curve: tuple[CurvePoint, ...]) -> Iterator[str]:
    """Draw a line of text for each point, because Markdown is one file without images."""
    ends = [end for one in curve for end in (one.predicted, one.recorded.low, one.recorded.high)]
    lowest, wide = min(ends), max(ends) - min(ends) or 1.0

    def place(score: float) -> int:
        return round((score - lowest) / wide * (PLOT_WIDTH - 1))

    yield f"predicted  recorded, from {lowest:.2f} to {max(ends):.2f}"
    for one in curve:
        cells = [" "] * PLOT_WIDTH
        low, high = place(one.recorded.low), place(one.recorded.high)
        cells[low : high + 1] = "-" * (high + 1 - low)
        cells[place(one.predicted)] = "|"
        cells[place(one.recorded.value)] = "o"
        yield f"{one.predicted:9.2f}  {''.join(cells)}".rstrip()


def _wins(wins: Wins) -> Iterator[str]:
    yield "\n## Win probabilities\n"
    yield (
        f"In pairs of {wins.rows:,} held-out rows, how often the first did better, ties counting "
        "half, by its predicted probability. The intervals hold for all bins jointly, with 99% "
        "confidence.\n"
    )
    yield from table(
        ("predicted", "won", "pairs"),
        ((f"{one.predicted:.3f}", shown(one.won), f"{one.pairs:,}") for one in wins.bins),
    )


def _subgroups(card: Card) -> Iterator[str]:
    if card.simultaneous:
        target = card.verdict.coverage.target
        yield (
            "The intervals in each column hold for all groups jointly, with "
            f"{card.verdict.confidence:.0%} confidence. A mean error, predicted less recorded "
            "score, is marked * if it differs from 0 by more than chance allows among this many "
            f"groups. The target coverage is {target:.0%}.\n"
        )
    covered = any(one.coverage for one in card.subgroups)
    yield from table(
        ("feature", "group", "rows", "RMSE", "MAE", "mean error", *(["coverage"] * covered)),
        (
            (
                one.feature,
                one.group,
                one.rows,
                shown(one.rmse),
                shown(one.mae),
                shown(one.mean_error) + (" *" if one.off_zero else ""),
                *([shown(one.coverage)] * covered),
            )
            for one in card.subgroups
        ),
    )


def _replay(
    replay: Replayed, groups: tuple[ReplayedGroup, ...], confidence: float
) -> Iterator[str]:
    yield "\n## Replay\n"
    if replay.void:
        yield f"{replay.void}"
        return
    yield (
        f"{counted(replay.requests, 'captured request')}{_times(replay)}, replayed against this "
        f"model and the champion {replay.champion}, which reproduced "
        f"{counted(replay.reproduced, 'prediction')} of its own among them. "
        f"{counted(replay.refused, 'request')} would be refused only by this model. A score counts "
        "as moved if it changes by more than the half-width of the champion's interval.\n"
    )
    change = replay.change
    if change is not None and replay.moved is not None:
        yield from table(
            ("change of the score", "5%", "25%", "median", "75%", "95%", "moved"),
            [
                (
                    "this model less the champion",
                    *(
                        f"{one:+.3f}"
                        for one in (change.p05, change.p25, change.p50, change.p75, change.p95)
                    ),
                    f"{replay.moved:.1%}",
                )
            ],
        )
        yield ""
    if replay.candidate_scores and replay.champion_scores:
        yield f"On {counted(replay.outcomes, 'outcome')} that neither model was trained on:\n"
        columns = (
            ("this model", replay.candidate_scores),
            (f"the champion {replay.champion}", replay.champion_scores),
        )
        yield from table(
            ("", "RMSE", "MAE", "R²"),
            ((name, shown(one.rmse), shown(one.mae), shown(one.r2)) for name, one in columns),
        )
        yield ""
    if groups:
        yield (
            "The intervals of the mean change hold for all groups jointly, with "
            f"{confidence:.0%} confidence.\n"
        )
        yield from table(
            ("feature", "group", "requests", "refused", "mean change", "moved"),
            (
                (
                    one.feature,
                    one.group,
                    f"{one.requests:,}",
                    f"{one.refused:,}",
                    shown(one.mean_change),
                    "" if one.moved is None else f"{one.moved:.1%}",
                )
                for one in groups
            ),
        )


def _times(replay: Replayed) -> str:
    if replay.since is None or replay.until is None:
        return ""
    return f" from {replay.since:%Y-%m-%d %H:%M} to {replay.until:%Y-%m-%d %H:%M} UTC"


def _tuning(tuning: Tuning) -> Iterator[str]:
    yield (
        f"Chosen from the grid `{tuning.grid}`: the fewest leaves or coefficients with an RMSE of "
        f"at most {tuning.limit:.4f}, one standard error above the best.\n"
    )
    yield from table(
        ("candidate", "RMSE", "standard error", "leaves or coefficients", ""),
        (
            (
                _named(one.hyperparameters.model_dump()),
                *(
                    (one.error, "", "")
                    if one.error
                    else (f"{one.rmse:.4f}", f"{one.standard_error:.4f}", f"{one.leaves:,.0f}")
                ),
                _mark(one),
            )
            for one in tuning.candidates
        ),
    )
    yield ""


def _mark(candidate: TuningCandidate) -> str:
    marks = {"best": candidate.best, "chosen": candidate.chosen}
    return ", ".join(name for name, holds in marks.items() if holds)


def _of_outcomes(data: Data) -> str:
    if not data.outcomes:
        return ""
    return f" {data.outcomes:,} of them are outcomes of predictions that this system made."


def _missing(data: Data) -> list[tuple[str, int]]:
    return [(name, count) for name, count in data.missing.items() if count]


def _named(values: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
