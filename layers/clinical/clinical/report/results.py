"""What the card and the lineage say to the items on results and discussion."""

from collections.abc import Iterator, Sequence

from clinical.monitored import Monitored
from clinical.report import figures, wording
from clinical.report.facts import Facts, in_words, lowered, on_the_average, on_the_baseline
from clinical.report.markup import Markup, code, figure, joined, listed, p, said, table, tag
from clinical.report.methods import WHERE_THE_CURVE_IS
from clinical.report.wording import (
    NOT_MEASURED,
    TOO_FEW,
    counted,
    level,
    number,
    percent,
    points,
    share,
)
from clinical.verdict import Replayed, ReplayedGroup, Scores, Subgroup

MOST_GROUPS = 100  # that are told one by one
SHOWN_OF_A_DIGEST = 16

type Blocks = Iterator[Markup]


# ---- Participants ----


def flow(facts: Facts) -> Blocks:
    data = facts.card.data
    yield p(
        f"All {data.rows:,} rows {'of both' if data.outcomes else 'of the file'} have the outcome "
        f"and are analysed: {data.training_rows:,} to train, {data.held_out_rows:,} to evaluate. "
        f"Who was recruited and is no row of {'them' if data.outcomes else 'it'}, the system "
        "cannot know."
    )


def characteristics(facts: Facts) -> Blocks:
    data = facts.card.data
    yield p(
        f"The outcome, in all {data.rows:,} rows: mean {facts.value(data.score_mean)} "
        f"{facts.unit}, standard deviation {facts.value(data.score_std)}, from "
        f"{wording.plain(data.score_min)} to {wording.plain(data.score_max)}. The card keeps no "
        "distributions of predictors."
    )
    if facts.card.subgroups:
        total = facts.verdict.rows
        rows = [
            (group_of(facts, one), f"{one.rows:,}", percent(one.rows / total))
            for one in facts.card.subgroups[:MOST_GROUPS]
        ]
        yield table("The held-out rows by group", ("Group", "Rows", "Of all held-out rows"), rows)
        yield from _left_out(facts)


def parts(facts: Facts) -> Blocks:
    training, verdict = facts.card.training, facts.verdict
    yield p(
        "Both parts are drawn at random from the same file, so they differ by chance "
        "alone; the card keeps no distributions of predictors to set beside each other. The "
        f"error by cross-validation on the training rows is "
        f"{facts.value(training.cross_validation_rmse)} {facts.unit}, that on the held-out rows "
        f"{facts.scaled(verdict.candidate.rmse)}."
    )


def analyses(facts: Facts) -> Blocks:
    card, verdict = facts.card, facts.verdict
    rows = [
        ("Training the model", f"{card.data.training_rows:,}"),
        ("Residuals for the intervals, by cross-validation", f"{card.interval.residuals:,}"),
        ("Evaluation", f"{verdict.rows:,}"),
    ]
    if verdict.wins:
        rows.append(("Check of win probabilities, in pairs of these", f"{verdict.wins.rows:,}"))
    if verdict.champion:
        rows.append(("Comparison with the model that served before", f"{verdict.champion.rows:,}"))
    yield table("Rows in each analysis", ("Analysis", "Rows"), rows)
    yield p("Each row has a score; there are no events to count.")


# ---- Specification ----


def specification(facts: Facts) -> Blocks:
    card = facts.card
    wrote = {
        (stage, field): digest
        for stage, run in card.lineage.stages.items()
        for field, digest in run.wrote.items()
    }
    graph = wrote.get(("train", "onnx"))
    yield p(
        "The whole model is one file, ",
        code(f"models/{card.model_version}/model.onnx"),
        " in the registry of the system; any ONNX runtime computes it.",
        *((" Its SHA-256 is ", code(graph), ".") if graph else ()),
    )
    yield p(
        "To ask it: ",
        code("POST /predict"),
        " with one patient, ",
        code("POST /predict/batch"),
        " with many; ",
        code("GET /docs"),
        " describes both. Who may is for whoever runs the system.",
    )
    yield p(
        "Made by the execution ",
        code(card.lineage.execution),
        " under parameters with the SHA-256 ",
        code(card.lineage.params_sha256),
        ".",
    )
    rows = [
        (stage, field.replace("_", " "), code(digest[:SHOWN_OF_A_DIGEST]))
        for (stage, field), digest in wrote.items()
    ]
    if rows:
        caption = f"Lineage: what each stage wrote, and the first {SHOWN_OF_A_DIGEST} digits of it"
        yield table(caption, ("Stage", "Wrote", "SHA-256"), rows)


# ---- Performance ----


def performance(facts: Facts) -> Blocks:
    yield listed((on_the_average(facts), *on_the_baseline(facts)))
    yield from _scores(facts)
    yield from _coverage(facts)
    yield from _calibration(facts)
    yield from _wins(facts)
    yield from _learning_curve(facts)
    yield from _subgroups(facts)
    yield from _replay(facts)
    yield from _importances(facts)


def _heading(text: str) -> Markup:
    return tag("h4", text)


def _scores(facts: Facts) -> Blocks:
    verdict = facts.verdict
    models: list[tuple[object, Scores]] = [
        ("This model", verdict.candidate),
        ("Always the average", verdict.average),
    ]
    if verdict.baseline:
        models.append((verdict.baseline.name, verdict.baseline.scores))
    if verdict.champion and verdict.champion.scores:
        name = f"{verdict.champion.version}, which served before, on {verdict.champion.rows:,} rows"
        models.append((name, verdict.champion.scores))
    models += [
        (joined(("This model without ", in_words(facts, one.over))), one.scores)
        for one in verdict.averaged
    ]
    yield _heading("Errors")
    yield table(
        f"On {verdict.rows:,} held-out rows, with {facts.confidence} intervals",
        ("Model", f"RMSE, {facts.unit}", f"MAE, {facts.unit}", "R²"),
        [
            (name, facts.scaled(one.rmse), facts.scaled(one.mae), wording.estimate(one.r2))
            for name, one in models
        ],
    )
    yield p(f"Skill, 1 less RMSE over the average's RMSE: {wording.estimate(verdict.skill)}.")


def _coverage(facts: Facts) -> Blocks:
    coverage = facts.verdict.coverage
    met = "as they should" if coverage.holds else "not as they should"
    yield _heading("Coverage of the intervals")
    yield p(
        f"Intervals that should hold {level(coverage.target)} of the outcomes held "
        f"{percent(coverage.measured)}: {met}, within {points(coverage.tolerance)}."
    )
    without = [
        joined(("without ", in_words(facts, one.over), f" {percent(one.coverage.measured)}"))
        for one in facts.verdict.averaged
    ]
    if without:
        yield p("Where something is not known yet: ", wording.enumerated(without), ".")


def _calibration(facts: Facts) -> Blocks:
    found = facts.verdict.calibration
    yield _heading("Calibration")
    if found is None:
        yield p(NOT_MEASURED)
        return
    yield listed(
        (
            f"Slope {wording.estimate(found.slope)}; 1 is best. Below 1, scores are too extreme.",
            f"Intercept {facts.scaled(found.intercept)} {facts.unit}; 0 is best.",
            (
                f"In the large, the mean recorded less the mean predicted score: "
                f"{facts.scaled(found.in_the_large, signed=True)} {facts.unit}; 0 is best."
            ),
        )
    )
    yield figure(
        figures.calibration(
            found,
            facts.card.calibration_curve,
            facts.unit,
            facts.params.label(facts.params.target.column),
        ),
        "What was recorded, over what was predicted. Dots with whiskers: means of bins of held-out "
        f"rows, with {facts.confidence} intervals. ",
        "Line with band: the smooth relation. " if facts.card.calibration_curve else "",
        "Dashed: where recorded is as predicted.",
    )
    yield table(
        "Calibration by bin",
        (f"Predicted, {facts.unit}", f"Recorded, {facts.unit}", "Rows"),
        [
            (facts.value(one.predicted), facts.scaled(one.recorded), f"{one.rows:,}")
            for one in found.bins
        ],
    )


def _wins(facts: Facts) -> Blocks:
    found = facts.verdict.wins
    yield _heading("Win probabilities")
    if found is None:
        yield p(NOT_MEASURED)
        return
    told = (
        "They came true, within what chance allows."
        if found.holds
        else "They did not come true: some bin is further off than chance allows."
    )
    yield p(
        "Of two patients, which one does better? For pairs of "
        f"{found.rows:,} held-out rows it was counted how often it was the first. {told}"
    )
    yield figure(
        figures.wins(found),
        "How often the first of two did better, over the predicted probability that it would. "
        "Whiskers: intervals that hold for all bins at once. Dashed: where it is as predicted.",
    )
    yield table(
        "Win probabilities by bin",
        ("Predicted", "The first did better", "Pairs"),
        [(number(one.predicted), share(one.won), f"{one.pairs:,}") for one in found.bins],
    )


def _learning_curve(facts: Facts) -> Blocks:
    curve = facts.learning_curve
    yield _heading("Learning curve")
    if curve is None or not curve.points:
        yield p(curve.says if curve else WHERE_THE_CURVE_IS)
        return
    yield p(curve.says)
    points = [(one.rows, one.rmse) for one in curve.points]
    yield figure(
        figures.learning(points, facts.verdict.average.rmse.value, facts.unit),
        f"The error on {curve.held_out_rows:,} held-out rows, over how many rows a model is "
        f"trained on, with {level(curve.confidence)} intervals. Dashed: always the average."
        + (f" Its forests have {curve.max_trees} trees." if curve.max_trees else ""),
    )
    yield table(
        "Learning curve",
        ("Training rows", f"RMSE, {facts.unit}", "Models"),
        [(f"{one.rows:,}", facts.scaled(one.rmse), f"{len(one.draws)}") for one in curve.points],
    )


def group_of(facts: Facts, group: Subgroup | ReplayedGroup) -> Markup:
    return joined((facts.label(group.feature), ": ", said(group.group)))


def _left_out(facts: Facts) -> Blocks:
    more = len(facts.card.subgroups) - MOST_GROUPS
    if more > 0:
        yield p(f"{counted(more, 'more group')} in ", code("GET /model"), ".")


def _subgroups(facts: Facts) -> Blocks:
    groups = facts.card.subgroups[:MOST_GROUPS]
    yield _heading("Subgroups")
    if not groups:
        yield p("The study names none.")
        return
    hold = (
        "Each column's intervals hold for all groups at once"
        if facts.card.simultaneous
        else "Each interval is for itself: of many groups, some stand out by chance"
    )
    yield p(
        f"{hold}, with {facts.confidence}. A mean error is prediction less recorded score: above "
        "0, scores are too high."
    )
    yield table(
        "Errors by subgroup",
        ("Group", "Rows", f"RMSE, {facts.unit}", f"MAE, {facts.unit}"),
        [
            (group_of(facts, one), f"{one.rows:,}", facts.scaled(one.rmse), facts.scaled(one.mae))
            for one in groups
        ],
    )
    errors = figures.Strip.of((one.mean_error for one in groups), 0)
    yield table(
        "Mean error by subgroup; dashed in the drawing: 0",
        ("Group", f"Mean error, {facts.unit}", _drawn(errors, facts.value), "Off to one side"),
        [
            (
                group_of(facts, one),
                facts.scaled(one.mean_error, signed=True),
                errors(one.mean_error),
                "yes" if one.off_zero else "no",
            )
            for one in groups
        ],
    )
    yield from _coverage_by_group(facts, groups)
    yield from _left_out(facts)


def _coverage_by_group(facts: Facts, groups: Sequence[Subgroup]) -> Blocks:
    if not any(one.coverage for one in groups):
        few = any(one.rmse is None for one in groups) and not any(one.rmse for one in groups)
        yield p("Coverage by subgroup: ", TOO_FEW if few else lowered(NOT_MEASURED))
        return
    target = facts.verdict.coverage.target
    drawn = figures.Strip.of((one.coverage for one in groups), target)
    yield table(
        f"Coverage of the intervals by subgroup; dashed in the drawing: {level(target)}",
        ("Group", "Rows", "Coverage", _drawn(drawn, percent)),
        [
            (group_of(facts, one), f"{one.rows:,}", share(one.coverage), drawn(one.coverage))
            for one in groups
        ],
    )


def _drawn(strip: figures.Strip, written: "figures.Written") -> str:
    """Head a column of drawings with the scale that they have."""
    return f"Drawn from {written(strip.low)} to {written(strip.high)}"


def _replay(facts: Facts) -> Blocks:
    """Tell what it would have said to captured requests, where there are figures of that."""
    found = facts.verdict.replay
    if found is None or found.void or found.change is None or found.moved is None:
        return
    change, unit = found.change, facts.unit
    low, first, median, third, high = (
        facts.value(one, signed=True)
        for one in (change.p05, change.p25, change.p50, change.p75, change.p95)
    )
    yield _heading("Captured requests, asked once more")
    yield p(
        f"{counted(found.requests, 'request')}{_between(found)} went to this model and to "
        f"{found.champion}, which served before. The score changes by a median of {median} {unit}; "
        f"half of the changes are from {first} to {third}, nine in ten from {low} to {high}. "
        f"{percent(found.moved)} of the scores change by more than the half-width of the interval "
        f"that {found.champion} gives{_half_width(facts, found)}. "
        f"{counted(found.refused, 'request')} that {found.champion} answers would be refused."
    )
    if found.candidate_scores and found.champion_scores:
        yield table(
            f"On {counted(found.outcomes, 'outcome')} of them that are new to both, with "
            f"{facts.confidence} intervals",
            ("Model", f"RMSE, {unit}", f"MAE, {unit}", "R²"),
            [
                (name, facts.scaled(one.rmse), facts.scaled(one.mae), wording.estimate(one.r2))
                for name, one in (
                    ("This model", found.candidate_scores),
                    (f"{found.champion}, which served before", found.champion_scores),
                )
            ],
        )
    if groups := facts.card.replayed[:MOST_GROUPS]:
        drawn = figures.Strip.of((one.mean_change for one in groups), 0)
        yield table(
            "Mean change of the score by group; dashed in the drawing: 0",
            ("Group", "Requests", f"Mean change, {unit}", _drawn(drawn, facts.value), "Refused"),
            [
                (
                    group_of(facts, one),
                    f"{one.requests:,}",
                    facts.scaled(one.mean_change, signed=True)
                    if one.mean_change
                    else "too few requests",
                    drawn(one.mean_change),
                    f"{one.refused:,}",
                )
                for one in groups
            ],
        )


def _between(found: Replayed) -> str:
    if found.since is None or found.until is None:
        return ""
    return f" from {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}"


def _half_width(facts: Facts, found: Replayed) -> str:
    if found.half_width is None:
        return ""
    return f" (median: ±{facts.value(found.half_width)} {facts.unit})"


def _importances(facts: Facts) -> Blocks:
    yield _heading("What matters to the model")
    yield table(
        f"How much RMSE grows when a predictor is shuffled among held-out rows, {facts.unit}",
        ("Predictor", "Mean", "Standard deviation of repeats"),
        [
            (facts.label(one.feature), number(one.mean, 4), number(one.std, 4))
            for one in sorted(facts.card.importances, key=lambda one: -one.mean)
        ],
    )


def clusters(_: Facts) -> Blocks:
    yield p("The system knows no clusters, and found nothing about any; see item 12d.")


def updates(facts: Facts) -> Blocks:
    yield p("This version was not updated (item 12f).")
    if not facts.ledger:
        yield p(
            "Which versions served when is in ",
            code("GET /report"),
            " and ",
            code("GET /model"),
            ".",
        )
        return
    yield table(
        "The last promotions, the newest first",
        ("Promotion", "Version", "When (UTC)", "R²", "Beats the average", "Why"),
        [
            (
                f"{one.sequence}",
                one.model_version,
                f"{one.promoted_at:%Y-%m-%d %H:%M}",
                number(one.r2),
                "yes" if one.beats_average else "no",
                said(one.why),
            )
            for one in facts.ledger
        ],
    )


# ---- Discussion ----


def interpretation(facts: Facts) -> Blocks:
    yield p(" ".join((on_the_average(facts), *on_the_baseline(facts))))
    yield p("What the gate made of it, ", facts.verdict.decision.replace("_", " "), ":")
    yield listed(said(one) for one in facts.verdict.reasons)


def limitations(facts: Facts) -> Blocks:
    yield listed(said(one) for one in facts.card.overview.limits)
    if facts.monitoring and facts.monitoring.last.outcomes.rmse:
        yield p(
            "Its figures here are of a random part of the same data. Of later patients there is "
            "what came of its predictions (item 27c); of other places, nothing."
        )
    else:
        yield p(
            "It was evaluated on a random part of the same data, and never on other patients, "
            "places or times."
        )


def poor_input(facts: Facts) -> Blocks:
    params = facts.params
    yield p(
        "A request is held to the rules of item 9b, as the data were. What breaks one is refused "
        "with each wrong field named; nothing is guessed, cut off or filled in."
    )
    if params.nullable:
        yield p("May be missing, and the model is told so: ", in_words(facts, params.nullable), ".")
    else:
        yield p("Nothing may be missing.")
    if later := params.roles.known_after_treatment:
        yield p(
            "May be left out, being known only after treatment: ",
            in_words(facts, later),
            ". The score is then a mean over what was recorded.",
        )
    if together := params.roles.recorded_together:
        yield p(
            "A combination of ",
            in_words(facts, together),
            " that the data never recorded is refused.",
        )


def users(facts: Facts) -> Blocks:
    yield p(
        f"Users enter {counted(len(facts.params.asked), 'field')} in a form, or send them to the "
        "API. The answer has the score, its interval, on how many rows it rests, and whether the "
        "model beats the average."
    )


def next_steps(facts: Facts) -> Blocks:
    curve = facts.learning_curve
    if curve:
        yield p(curve.says)
    monitoring = facts.monitoring
    if monitoring is None:
        yield p("Evaluation on other patients, in other places and later, is still to be done.")
        return
    yield from since_it_serves(facts, monitoring.last)
    yield p("Evaluation in other places is still to be done.")


def since_it_serves(facts: Facts, run: Monitored) -> Blocks:
    """Tell what the last run of the monitor found about requests and outcomes."""
    observed = run.outcomes
    yield p(
        f"It serves, and is monitored. Of the requests from {run.window.since:%Y-%m-%d} to "
        f"{run.window.date:%Y-%m-%d}: ",
        said(run.drift.says),
    )
    yield p("Of outcomes that were recorded of its predictions: ", said(observed.says))
    if observed.rmse:
        yield p(
            f"On {counted(observed.outcomes, 'outcome')}, its RMSE is "
            f"{facts.scaled(observed.rmse)} {facts.unit}, always answering the average has "
            f"{facts.scaled(observed.average_rmse)}, and {share(observed.coverage)} of "
            "the intervals held the outcome "
            f"({level(observed.confidence)} intervals in brackets)."
        )
