"""Answers to the items on title, introduction, methods and open science."""

from collections.abc import Iterator

from clinical.kinds import Kind, Value
from clinical.report import wording
from clinical.report.facts import Facts, in_words, on_the_average, on_the_baseline
from clinical.report.markup import Markup, code, escaped, joined, listed, p, said, table
from clinical.report.wording import counted, level, number, percent, points

MOST_VALUES = 40  # of a column, that are named
MOST_OFF = 20  # groups with scores off to one side, that are named
MOST_CANDIDATES = 12  # of a tuning, that are listed individually

type Blocks = Iterator[Markup]


# ---- Title, abstract, introduction ----


def title(facts: Facts) -> Blocks:
    yield p(
        "Development and evaluation of a model that predicts ",
        facts.target,
        " from ",
        counted(len(facts.params.features), "predictor"),
        ", for the patients of “",
        said(facts.params.study.title),
        "”.",
    )


def abstract(facts: Facts) -> Blocks:
    card, verdict = facts.card, facts.verdict
    yield p("Question: ", said(facts.params.study.question))
    yield p(
        "Data: ",
        counted(card.data.rows, "row"),
        f": {card.data.training_rows:,} for training and {verdict.rows:,} held out. ",
        "Outcome: ",
        facts.target,
        f", in {facts.unit}, mean {facts.value(card.data.score_mean)}, standard deviation "
        f"{facts.value(card.data.score_std)}. Model: {card.overview.algorithm}.",
    )
    yield p("Results: ", " ".join((on_the_average(facts), *on_the_baseline(facts))))
    yield p(
        f"R² {wording.estimate(verdict.candidate.r2)}. The {level(verdict.coverage.target)} "
        f"prediction intervals contain {percent(verdict.coverage.measured)} of the held-out "
        "outcomes."
    )
    yield p("Use: ", card.overview.intended_use)


def intended_use(facts: Facts) -> Blocks:
    yield p(facts.card.overview.intended_use)
    yield p(said(facts.params.study.disclaimer))


def inequalities(facts: Facts) -> Blocks:
    groups = tuple(facts.params.roles.subgroups)
    if groups:
        yield p("Errors are reported by ", in_words(facts, groups), ": see items 14 and 23a.")
    else:
        yield p(
            "The study does not define subgroups for reporting errors (",
            code("roles.subgroups"),
            ").",
        )


def objectives(facts: Facts) -> Blocks:
    yield p(
        "Each version of the model is developed on one part of the data and evaluated on the "
        "other. The question on the study's form: ",
        said(facts.params.study.question),
    )


# ---- Data and participants ----


def data_source(facts: Facts) -> Blocks:
    data = facts.card.data
    of_the_file = counted(data.rows - data.outcomes, "row")
    yield p("One file with ", of_the_file, " and the SHA-256 ", code(data.sha256), ".")
    if data.outcomes:
        yield p(
            "In addition, ",
            counted(data.outcomes, "row"),
            ": predictions that this system made, with their outcomes. Treatments may have been "
            "chosen with its help.",
        )


def eligibility(facts: Facts) -> Blocks:
    told = [kind.told_range(name) for name, kind in facts.params.features.items()]
    known = [one for one in told if one]
    rule = "A data set is accepted only if every row meets the contract of item 9b"
    yield p(rule, *((": ", wording.words(known)) if known else ()), ".")


def treatments_received(facts: Facts) -> Blocks:
    roles, assignment = facts.params.roles, facts.params.study.assignment
    if not roles.treatment:
        yield p("The data record no treatments, so the model has none.")
        return
    how = (
        "were assigned at random"
        if assignment == "randomised"
        else "were observed, not assigned: they were chosen for reasons that the data may not show"
    )
    yield p("Treatments are predictors here: ", in_words(facts, roles.treatment), f". They {how}.")
    data = facts.card.data
    if roles.recorded_together:
        yield p(
            in_words(facts, roles.recorded_together),
            f" were recorded in {data.combinations:,} combinations, of which "
            f"{data.combinations_in_one_training_row:,} occur in only one training row. The model "
            "makes predictions only for recorded combinations.",
        )


def data_preparation(facts: Facts) -> Blocks:
    yield p(
        "Every cell is checked against its column's rules (item 9b), the same for all patients. A "
        "file with any row that breaks a rule is refused as a whole, and the rows are reported; no "
        "row is silently dropped or corrected. Numbers are rounded to their column's decimals. "
        "Patient identifiers and ignored columns are not used by any model."
    )
    ignored = [
        name
        for name, kind in facts.params.columns.items()
        if not kind.is_asked and not kind.is_unique
    ]
    if ignored:
        yield p("Ignored: ", in_words(facts, tuple(ignored)), ".")


# ---- Outcome and predictors ----


def outcome(facts: Facts) -> Blocks:
    data, params = facts.card.data, facts.params
    lowest, highest = params.scale
    better = "higher is better" if params.target.higher_is == "better" else "higher is worse"
    yield p(
        facts.target,
        ": ",
        *((said(params.outcome.description), ", ") if params.outcome.description else ()),
        f"from {wording.plain(lowest)} to {wording.plain(highest)} {facts.unit}; {better}. In the "
        f"data it ranges from {wording.plain(data.score_min)} to {wording.plain(data.score_max)}, "
        f"with a mean of {facts.value(data.score_mean)} and a standard deviation of "
        f"{facts.value(data.score_std)}.",
    )
    bands = [
        joined((said(name), f" from {wording.plain(begins)}"))
        for name, begins in params.target.bands.items()
    ]
    yield p("Its values are described as ", wording.enumerated(bands), ".")


def predictor_choice(facts: Facts) -> Blocks:
    yield p(
        "The study's params.yaml lists the predictors (item 9b); none is selected or dropped based "
        "on the outcome. Item 23a shows how much each one matters to the model."
    )
    if later := facts.params.roles.known_after_treatment:
        yield p(
            in_words(facts, later),
            (" is" if len(later) == 1 else " are"),
            " known only after treatment. Requests may leave out such a predictor; the score is "
            "then the mean over the values recorded with the rest.",
        )


def predictors(facts: Facts) -> Blocks:
    rows = [
        (
            facts.label(name),
            kind.kind.replace("_", " "),
            values_of(kind),
            joined((said(kind.unit),)),
            "yes" if kind.nullable else "no",
            said(kind.description),
        )
        for name, kind in facts.params.features.items()
    ]
    headings = ("Predictor", "Kind", "Values", "Unit", "May be missing", "Description")
    yield table("The predictors and their allowed values", headings, rows)


def values_of(kind: Kind) -> Markup:
    """Describe a column's allowed values: its list, or its range."""
    if kind.listed:
        named = [said(_plain(one)) for one in kind.listed[:MOST_VALUES]]
        more = len(kind.listed) - len(named)
        return joined((joined(named, ", "), f" and {more:,} more" if more else ""))
    low, high = kind.widget["range"]
    return joined((f"{_plain(low)} to {_plain(high)}",))


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return wording.plain(value) if isinstance(value, (int, float)) else str(value)


# ---- Sample size, missing data ----


def sample_size(facts: Facts) -> Blocks:
    data = facts.card.data
    yield p(
        counted(data.rows, "row"),
        f": all rows {'of both' if data.outcomes else 'in the file'}. "
        f"{data.training_rows:,} are used for training, {data.held_out_rows:,} for evaluation. "
        f"Files with fewer than {facts.params.dataset.min_rows:,} rows are refused.",
    )
    curve = facts.learning_curve
    if curve:
        yield p("Whether more rows would help: ", curve.says)
    else:
        yield p(WHERE_THE_CURVE_IS)


WHERE_THE_CURVE_IS = joined(
    (
        "Whether more rows would help is measured in parallel with the promotion: once there is a ",
        "learning curve, it is in ",
        code("GET /report"),
        " and ",
        code("GET /model"),
        ".",
    )
)


def missing_data(facts: Facts) -> Blocks:
    params, missing = facts.params, facts.card.data.missing
    yield p(
        "No row is excluded because of missing values, and nothing is imputed: the model handles "
        "missing values itself. A file with a row that has no outcome is refused."
    )
    if found := [(name, count) for name, count in missing.items() if count]:
        rows = [
            (facts.label(name), f"{count:,}", percent(count / facts.card.data.rows))
            for name, count in found
        ]
        yield table("Missing cells", ("Predictor", "Cells", "Of all rows"), rows)
    elif any(kind.nullable for kind in params.features.values()):
        yield p("In these data, no predictor has missing values.")
    else:
        yield p("Predictors in this study must not be missing, and none are.")


# ---- Analytical methods ----


def division(facts: Facts) -> Blocks:
    data, training = facts.card.data, facts.card.training
    yield p(
        f"Rows are divided at random (seed {training.seed}) before anything is fitted: "
        f"{data.training_rows:,} for training, {data.held_out_rows:,} "
        f"({percent(data.held_out_rows / data.rows)}) held out. Encoding, hyperparameters and "
        "prediction intervals come only from the training rows; all figures in item 23a come only "
        "from the held-out rows."
    )


def encoding(facts: Facts) -> Blocks:
    yield p(
        "Numbers are used as they are, dates as days since another day, and each category as an "
        "indicator; no number is categorised. Linear models standardise numbers on the training "
        "rows, and represent missing values by the mean and an indicator."
    )
    features = facts.params.features.values()
    words = sum(kind.categories is not None for kind in features)
    yield p(f"Of {counted(len(features), 'predictor')}, {words} are categorical.")


def building(facts: Facts) -> Blocks:
    training, unit = facts.card.training, facts.unit
    yield p(f"{facts.card.overview.algorithm}.")
    rows = [
        (name, "none" if value is None else str(value))
        for name, value in training.hyperparameters.model_dump().items()
    ]
    yield table("Hyperparameters", ("Name", "Value"), rows)
    yield p(
        f"Internal validation on the training rows, {training.cross_validation_folds} folds: RMSE "
        f"{facts.value(training.cross_validation_rmse)} {unit}, R² "
        f"{number(training.cross_validation_r2)}."
    )
    if training.tuning is None:
        yield p("The hyperparameters are those in the study's params.yaml, without tuning.")
        return
    tried = training.tuning.candidates
    best = [one for one in tried if one.rmse is not None]
    yield p(
        f"They were chosen from {counted(len(tried), 'candidate')} in the grid ",
        said(training.tuning.grid),
        " by cross-validation on the training rows: the simplest with an RMSE of at most "
        f"{number(training.tuning.limit, facts.decimals + 1)} {unit}, one standard error above the "
        f"best. {counted(len(tried) - len(best), 'candidate')} failed.",
    )
    yield table(
        "The candidates with the lowest error",
        ("Candidate", f"RMSE, {unit}", "Standard error", ""),
        [
            (
                ", ".join(
                    f"{name} {value}" for name, value in one.hyperparameters.model_dump().items()
                ),
                number(one.rmse or 0, facts.decimals + 1),
                number(one.standard_error or 0, facts.decimals + 1),
                ", ".join(
                    name for name, holds in (("best", one.best), ("chosen", one.chosen)) if holds
                ),
            )
            for one in sorted(best, key=lambda one: (not one.chosen, one.rmse))[:MOST_CANDIDATES]
        ],
    )


def clusters_looked_at(_: Facts) -> Blocks:
    yield p(
        "The system does not model clusters, such as hospitals or countries: patients are treated "
        "as independent. A column of centres can be made a subgroup (",
        code("roles.subgroups"),
        "), whose errors are then in item 23a. Item 23b has the study's own statement.",
    )


def measures(facts: Facts) -> Blocks:
    params, verdict = facts.params, facts.verdict
    yield listed(
        (
            (
                f"RMSE and MAE in {facts.unit}, and R²: 1 minus the ratio of squared errors to "
                "squared deviations from the rows' own mean."
            ),
            (
                "The same for always predicting the training rows' average, and for a ridge "
                "regression, with paired differences from both."
            ),
            "Calibration: intercept, slope, calibration in the large, bins, and a smooth curve.",
            (
                f"Coverage of the {level(verdict.coverage.target)} prediction intervals, overall "
                "and by subgroup."
            ),
            "If treatments are compared: calibration of the predicted win probabilities.",
            (
                f"All figures have {facts.confidence} bootstrap intervals "
                f"({params.evaluation.resamples:,} resamples of the held-out rows)."
            ),
        )
    )
    yield p(
        "A version is promoted if its ONNX graph agrees with the fitted model (largest difference "
        f"{wording.tiny(verdict.parity.max_error)} {facts.unit}), the coverage of its intervals is "
        f"within {points(verdict.coverage.tolerance)} of the target, and the previous champion is "
        "not better. Without skill over the average, it is ",
        escaped(params.gate.without_skill.replace("_", " ")),
        ".",
    )


def updating(_: Facts) -> Blocks:
    yield p(
        "None: no version is recalibrated or changed after its evaluation. New data lead to a new "
        "version with an evaluation of its own."
    )


def computed(facts: Facts) -> Blocks:
    parity = facts.verdict.parity
    yield p(
        "The ONNX graph that serves scored every held-out row. The fitted model's scores differ by "
        f"at most {wording.tiny(parity.max_error)} {facts.unit}. Scores are clamped to the "
        "outcome's range."
    )


def imbalance(_: Facts) -> Blocks:
    yield p(
        "Not applicable: the outcome is a score, not a class, and nothing was resampled or "
        "weighted. In ranges with few scores, errors are less certain: see the calibration bins in "
        "item 23a."
    )


def fairness(facts: Facts) -> Blocks:
    groups = tuple(facts.params.roles.subgroups)
    if not groups:
        yield p(
            "The study does not define subgroups, so errors are reported for none (",
            code("roles.subgroups"),
            ").",
        )
        return
    together = (
        "hold for all groups jointly"
        if facts.card.simultaneous
        else "each hold only by themselves: among many groups, some stand out by chance"
    )
    yield p(
        "Errors and the coverage of prediction intervals are measured by ",
        in_words(facts, groups),
        f" on the held-out rows (item 23a). The bootstrap intervals {together}. Groups with fewer "
        f"than {facts.params.evaluation.min_subgroup_rows} rows get no figures.",
    )
    off = [one for one in facts.card.subgroups if one.off_zero]
    if off:
        yield p(
            "Scores are biased in one direction in ",
            joined(
                (
                    joined((facts.label(one.feature), ": ", said(one.group)))
                    for one in off[:MOST_OFF]
                ),
                "; ",
            ),
            f", and {len(off) - MOST_OFF:,} more groups." if len(off) > MOST_OFF else ".",
        )
    else:
        yield p("Scores are not biased in any group by more than chance allows.")
    by = facts.card.interval.by
    yield (
        p("Prediction intervals are separate for the groups of ", in_words(facts, by), ".")
        if by
        else p("Prediction intervals have the same width for all patients.")
    )


def output(facts: Facts) -> Blocks:
    interval, params = facts.card.interval, facts.params
    yield p(
        "A score in units of the outcome, ",
        facts.target,
        f" in {facts.unit}, to {counted(params.target.decimals, 'decimal')}, with a "
        f"{level(interval.coverage)} prediction interval: the score ± "
        f"{facts.value(interval.half_width)} {facts.unit}, from {interval.residuals:,} residuals "
        f"of {interval.folds}-fold cross-validation. There is no class and no threshold; the bands "
        "in item 8a are only descriptions.",
    )
    yield p(
        "Each response also states the number of training rows that support the score, and whether "
        "the model beats the average."
    )


def training_and_evaluation(facts: Facts) -> Blocks:
    yield p(
        "None in setting, eligibility, outcome or predictors: the held-out rows are a random part "
        "of the same file. This is internal validation; it does not show how the model performs "
        "elsewhere or later."
    )
    champion = facts.verdict.champion
    if champion:
        yield p(
            f"The previous champion was compared on the {champion.rows:,} held-out rows that it "
            "was not trained on."
        )


def code_sharing(_: Facts) -> Blocks:
    yield p(
        "The lineage (item 22) identifies the code, parameters and data of this version; the same "
        "inputs give the same version again."
    )


def data_sharing(facts: Facts) -> Blocks:
    yield p("The file is identified by its SHA-256: ", code(facts.card.data.sha256), ".")
