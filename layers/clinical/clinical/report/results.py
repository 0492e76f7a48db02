"""Answers from card and lineage to the items on results and discussion."""

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

MOST_GROUPS = 100  # that are listed individually
SHOWN_OF_A_DIGEST = 16

type Blocks = Iterator[Markup]


# ---- Participants ----


def flow(facts: Facts) -> Blocks:
    data = facts.card.data
    yield p(
        f"All {data.rows:,} rows {'of both' if data.outcomes else 'in the file'} have the outcome "
        f"and are analysed: {data.training_rows:,} for training, {data.held_out_rows:,} for "
        "evaluation. The system does not know of recruited patients who are not in "
        f"{'them' if data.outcomes else 'it'}."
    )


def characteristics(facts: Facts) -> Blocks:
    data = facts.card.data
    yield p(
        f"The outcome, in all {data.rows:,} rows: mean {facts.value(data.score_mean)} "
        f"{facts.unit}, standard deviation {facts.value(data.score_std)}, from "
        f"{wording.plain(data.score_min)} to {wording.plain(data.score_max)}. The card does not "
        "contain the distributions of predictors."
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
        "Both parts are drawn at random from the same file, so they differ only by chance; the "
        "card does not contain the distributions of predictors to compare. The RMSE is "
        f"{facts.value(training.cross_validation_rmse)} {facts.unit} in cross-validation on the "
        f"training rows, and {facts.scaled(verdict.candidate.rmse)} on the held-out rows."
    )


def analyses(facts: Facts) -> Blocks:
    card, verdict = facts.card, facts.verdict
    rows = [
        ("Training the model", f"{card.data.training_rows:,}"),
        ("Cross-validation residuals for the intervals", f"{card.interval.residuals:,}"),
        ("Evaluation", f"{verdict.rows:,}"),
    ]
    if verdict.wins:
        rows.append(("Check of win probabilities, in pairs", f"{verdict.wins.rows:,}"))
    if verdict.champion:
        rows.append(("Comparison with the previous champion", f"{verdict.champion.rows:,}"))
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
        "The complete model is one file, ",
        code(f"models/{card.model_version}/model.onnx"),
        " in the system's registry, which any ONNX runtime can run.",
        *((" Its SHA-256 is ", code(graph), ".") if graph else ()),
    )
    yield p(
        "To use it, call ",
        code("POST /predict"),
        " for one patient or ",
        code("POST /predict/batch"),
        " for many; ",
        code("GET /docs"),
        " describes both. Access is up to the operator of the system.",
    )
    yield p(
        "Trained by the execution ",
        code(card.lineage.execution),
        " with parameters whose SHA-256 is ",
        code(card.lineage.params_sha256),
        ".",
    )
    rows = [
        (stage, field.replace("_", " "), code(digest[:SHOWN_OF_A_DIGEST]))
        for (stage, field), digest in wrote.items()
    ]
    if rows:
        caption = f"Lineage: the outputs of each stage, by the first {SHOWN_OF_A_DIGEST} digits"
        yield table(caption, ("Stage", "Output", "SHA-256"), rows)


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
        name = f"Previous champion {verdict.champion.version}, on {verdict.champion.rows:,} rows"
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
    yield p(f"Skill, 1 minus RMSE / the average's RMSE: {wording.estimate(verdict.skill)}.")


def _coverage(facts: Facts) -> Blocks:
    coverage = facts.verdict.coverage
    met = "meets the target" if coverage.holds else "does not meet the target"
    yield _heading("Coverage of the prediction intervals")
    yield p(
        f"The {level(coverage.target)} prediction intervals contain {percent(coverage.measured)} "
        f"of the outcomes, which {met} within {points(coverage.tolerance)}."
    )
    without = [
        joined(("without ", in_words(facts, one.over), f" {percent(one.coverage.measured)}"))
        for one in facts.verdict.averaged
    ]
    if without:
        yield p("If some predictors are not known yet: ", wording.enumerated(without), ".")


def _calibration(facts: Facts) -> Blocks:
    found = facts.verdict.calibration
    yield _heading("Calibration")
    if found is None:
        yield p(NOT_MEASURED)
        return
    yield listed(
        (
            f"Slope {wording.estimate(found.slope)}; ideally 1. Below 1, scores are too extreme.",
            f"Intercept {facts.scaled(found.intercept)} {facts.unit}; ideally 0.",
            (
                "Calibration in the large, the mean recorded minus the mean predicted score: "
                f"{facts.scaled(found.in_the_large, signed=True)} {facts.unit}; ideally 0."
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
        "Recorded against predicted scores. Dots with whiskers: means of bins of held-out rows, "
        f"with {facts.confidence} intervals. ",
        "Line with band: the smoothed relation. " if facts.card.calibration_curve else "",
        "Dashed line: perfect calibration.",
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
        "The predicted probabilities agree with this, within chance."
        if found.holds
        else "The predicted probabilities do not agree with this: some bins are further off than "
        "chance allows."
    )
    yield p(
        f"In pairs of {found.rows:,} held-out rows, how often the first patient does better than "
        f"the second. {told}"
    )
    yield figure(
        figures.wins(found),
        "How often the first of two patients did better, against the predicted probability. "
        "Whiskers: intervals that hold for all bins jointly. Dashed line: perfect calibration.",
    )
    yield table(
        "Win probabilities by bin",
        ("Predicted", "First did better", "Pairs"),
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
        f"The error on {curve.held_out_rows:,} held-out rows, by the number of training rows, with "
        f"{level(curve.confidence)} intervals. Dashed line: always the average."
        + (f" The curve's forests have {curve.max_trees} trees." if curve.max_trees else ""),
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
        yield p("The study defines none.")
        return
    hold = (
        "The intervals of each column hold for all groups jointly"
        if facts.card.simultaneous
        else "Each interval holds only by itself: among many groups, some stand out by chance"
    )
    yield p(
        f"{hold}, with {facts.confidence} confidence. The mean error is predicted minus recorded "
        "score: above 0, scores are too high."
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
        "Mean error by subgroup; dashed line: 0",
        ("Group", f"Mean error, {facts.unit}", _drawn(errors, facts.value), "Biased"),
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
        f"Coverage of the prediction intervals by subgroup; dashed line: {level(target)}",
        ("Group", "Rows", "Coverage", _drawn(drawn, percent)),
        [
            (group_of(facts, one), f"{one.rows:,}", share(one.coverage), drawn(one.coverage))
            for one in groups
        ],
    )


def _drawn(strip: figures.Strip, written: "figures.Written") -> str:
    """Return the heading of a column of drawings, with their scale."""
    return f"Scale: {written(strip.low)} to {written(strip.high)}"


def _replay(facts: Facts) -> Blocks:
    """Report the replay of captured requests, if there is one."""
    found = facts.verdict.replay
    if found is None or found.void or found.change is None or found.moved is None:
        return
    change, unit = found.change, facts.unit
    low, first, median, third, high = (
        facts.value(one, signed=True)
        for one in (change.p05, change.p25, change.p50, change.p75, change.p95)
    )
    yield _heading("Replay of captured requests")
    yield p(
        f"{counted(found.requests, 'request')}{_between(found)} were replayed against this model "
        f"and the previous champion {found.champion}. The score changes by a median of {median} "
        f"{unit}; half of the changes are between {first} and {third}, and nine in ten between "
        f"{low} and {high}. {percent(found.moved)} of the scores change by more than the "
        f"half-width of {found.champion}'s interval{_half_width(facts, found)}. "
        f"{counted(found.refused, 'request')} that {found.champion} answers would be refused."
    )
    if found.candidate_scores and found.champion_scores:
        yield table(
            f"On {counted(found.outcomes, 'outcome')} of these that neither was trained on, with "
            f"{facts.confidence} intervals",
            ("Model", f"RMSE, {unit}", f"MAE, {unit}", "R²"),
            [
                (name, facts.scaled(one.rmse), facts.scaled(one.mae), wording.estimate(one.r2))
                for name, one in (
                    ("This model", found.candidate_scores),
                    (f"Previous champion {found.champion}", found.champion_scores),
                )
            ],
        )
    if groups := facts.card.replayed[:MOST_GROUPS]:
        drawn = figures.Strip.of((one.mean_change for one in groups), 0)
        yield table(
            "Mean change of the score by group; dashed line: 0",
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
    yield _heading("Predictor importance")
    yield table(
        f"Increase in RMSE when a predictor is shuffled among the held-out rows, {facts.unit}",
        ("Predictor", "Mean", "Standard deviation of repeats"),
        [
            (facts.label(one.feature), number(one.mean, 4), number(one.std, 4))
            for one in sorted(facts.card.importances, key=lambda one: -one.mean)
        ],
    )


def clusters(_: Facts) -> Blocks:
    yield p("The system does not analyse clusters; see item 12d.")


def updates(facts: Facts) -> Blocks:
    yield p("This version was not updated (item 12f).")
    if not facts.ledger:
        yield p(
            "The history of promotions is in ",
            code("GET /report"),
            " and ",
            code("GET /model"),
            ".",
        )
        return
    yield table(
        "The last promotions, newest first",
        ("Promotion", "Version", "Time (UTC)", "R²", "Beats the average", "Reason"),
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
    yield p("The gate's decision is “", facts.verdict.decision.replace("_", " "), "”:")
    yield listed(said(one) for one in facts.verdict.reasons)


def limitations(facts: Facts) -> Blocks:
    yield listed(said(one) for one in facts.card.overview.limits)
    if facts.monitoring and facts.monitoring.last.outcomes.rmse:
        yield p(
            "The figures here come from a random part of the same data. For later patients, see "
            "the outcomes of its predictions (item 27c); for other places, there is no evidence."
        )
    else:
        yield p(
            "The model was evaluated only on a random part of the same data, not on other "
            "patients, places or times."
        )


def poor_input(facts: Facts) -> Blocks:
    params = facts.params
    yield p(
        "Requests are checked against the same rules as the data (item 9b). A request that breaks "
        "a rule is refused, and every invalid field is named; nothing is guessed, truncated or "
        "imputed."
    )
    if params.nullable:
        yield p("May be missing, which the model handles: ", in_words(facts, params.nullable), ".")
    else:
        yield p("No field may be missing.")
    if later := params.roles.known_after_treatment:
        yield p(
            "May be left out because it is known only after treatment: ",
            in_words(facts, later),
            ". The score is then the mean over the recorded values.",
        )
    if together := params.roles.recorded_together:
        yield p(
            "A combination of ",
            in_words(facts, together),
            " that was never recorded in the data is refused.",
        )


def users(facts: Facts) -> Blocks:
    yield p(
        f"Users enter {counted(len(facts.params.asked), 'field')} in a form, or send them to the "
        "API. The response has the score, its prediction interval, the number of supporting "
        "training rows, and whether the model beats the average."
    )


def next_steps(facts: Facts) -> Blocks:
    curve = facts.learning_curve
    if curve:
        yield p(curve.says)
    monitoring = facts.monitoring
    if monitoring is None:
        yield p("Evaluation on other patients, in other places and at later times, is pending.")
        return
    yield from since_it_serves(facts, monitoring.last)
    yield p("Evaluation in other places is pending.")


def since_it_serves(facts: Facts, run: Monitored) -> Blocks:
    """Report the monitor's last findings about requests and outcomes."""
    observed = run.outcomes
    yield p(
        f"The model serves and is monitored. Requests from {run.window.since:%Y-%m-%d} to "
        f"{run.window.date:%Y-%m-%d}: ",
        said(run.drift.says),
    )
    yield p("Outcomes of its predictions: ", said(observed.says))
    if observed.rmse:
        yield p(
            f"On {counted(observed.outcomes, 'outcome')}, its RMSE is "
            f"{facts.scaled(observed.rmse)} {facts.unit}, that of always predicting the average "
            f"{facts.scaled(observed.average_rmse)}, and {share(observed.coverage)} of "
            "the prediction intervals contain the outcome "
            f"({level(observed.confidence)} intervals in brackets)."
        )
