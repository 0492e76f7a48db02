"""What the system knows to the items on title, introduction, methods and open science."""

from collections.abc import Iterator

from clinical.kinds import Kind, Value
from clinical.report import wording
from clinical.report.facts import Facts, in_words, on_the_average, on_the_baseline
from clinical.report.markup import Markup, code, escaped, joined, listed, p, said, table
from clinical.report.wording import counted, level, number, percent, points

MOST_VALUES = 40  # of a column, that are named
MOST_OFF = 20  # groups with scores off to one side, that are named
MOST_CANDIDATES = 12  # of a tuning, that are told one by one

type Blocks = Iterator[Markup]


# ---- Title, abstract, introduction ----


def title(facts: Facts) -> Blocks:
    yield p(
        "Development and evaluation of a model that predicts ",
        facts.target,
        " from ",
        counted(len(facts.params.features), "predictor"),
        ", in the patients of “",
        said(facts.params.study.title),
        "”.",
    )


def abstract(facts: Facts) -> Blocks:
    card, verdict = facts.card, facts.verdict
    yield p("Question: ", said(facts.params.study.question))
    yield p(
        "Data: ",
        counted(card.data.rows, "row"),
        f", of which {card.data.training_rows:,} to train on and {verdict.rows:,} held out. ",
        "Outcome: ",
        facts.target,
        f", in {facts.unit}, mean {facts.value(card.data.score_mean)}, standard deviation "
        f"{facts.value(card.data.score_std)}. Model: {card.overview.algorithm}.",
    )
    yield p("Results: ", " ".join((on_the_average(facts), *on_the_baseline(facts))))
    yield p(
        f"R² {wording.estimate(verdict.candidate.r2)}. Intervals that should hold "
        f"{level(verdict.coverage.target)} of the outcomes held "
        f"{percent(verdict.coverage.measured)} of the held-out ones."
    )
    yield p("Use: ", card.overview.intended_use)


def intended_use(facts: Facts) -> Blocks:
    yield p(facts.card.overview.intended_use)
    yield p(said(facts.params.study.disclaimer))


def inequalities(facts: Facts) -> Blocks:
    groups = tuple(facts.params.roles.subgroups)
    if groups:
        yield p("Errors are told by ", in_words(facts, groups), ": see items 14 and 23a.")
    else:
        yield p(
            "The study names no groups by which errors are told (", code("roles.subgroups"), ")."
        )


def objectives(facts: Facts) -> Blocks:
    yield p(
        "Each version of the model is developed on one part of the data and evaluated on the "
        "other. The question that the study's form asks: ",
        said(facts.params.study.question),
    )


# ---- Data and participants ----


def data_source(facts: Facts) -> Blocks:
    data = facts.card.data
    of_the_file = counted(data.rows - data.outcomes, "row")
    yield p("One file of ", of_the_file, ", with the SHA-256 ", code(data.sha256), ".")
    if data.outcomes:
        yield p(
            "Beside it, ",
            counted(data.outcomes, "row"),
            ": predictions that this system made, with what came of them since. Treatments may "
            "have been chosen with its help.",
        )


def eligibility(facts: Facts) -> Blocks:
    told = [kind.told_range(name) for name, kind in facts.params.features.items()]
    known = [one for one in told if one]
    rule = "A data set is taken only if every row keeps the contract of item 9b"
    yield p(rule, *((": ", wording.words(known)) if known else ()), ".")


def treatments_received(facts: Facts) -> Blocks:
    roles, assignment = facts.params.roles, facts.params.study.assignment
    if not roles.treatment:
        yield p("The data record no treatments, so the model knows none.")
        return
    how = (
        "were assigned at random"
        if assignment == "randomised"
        else "were observed, not assigned: who chose them had reasons that the data may not have"
    )
    yield p("Treatments are predictors here: ", in_words(facts, roles.treatment), f". They {how}.")
    data = facts.card.data
    if roles.recorded_together:
        yield p(
            in_words(facts, roles.recorded_together),
            f" were recorded in {data.combinations:,} combinations, of which "
            f"{data.combinations_in_one_training_row:,} are in one training row alone. The model "
            "answers for those combinations and no others.",
        )


def data_preparation(facts: Facts) -> Blocks:
    yield p(
        "Every cell is held to its column's rule (item 9b), the same for all patients. A file with "
        "one row that breaks a rule is refused whole, and the rows are named; none is dropped or "
        "corrected in silence. Numbers are rounded to their column's decimals. Identifiers of "
        "patients and columns that the study ignores reach no model."
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
    better = "more is better" if params.target.higher_is == "better" else "more is worse"
    yield p(
        facts.target,
        ": ",
        *((said(params.outcome.description), ", ") if params.outcome.description else ()),
        f"from {wording.plain(lowest)} to {wording.plain(highest)} {facts.unit}; {better}. In the "
        f"data it goes from {wording.plain(data.score_min)} to {wording.plain(data.score_max)}, "
        f"with a mean of {facts.value(data.score_mean)} and a standard deviation of "
        f"{facts.value(data.score_std)}.",
    )
    bands = [
        joined((said(name), f" from {wording.plain(begins)}"))
        for name, begins in params.target.bands.items()
    ]
    yield p("For people, it is called ", wording.enumerated(bands), ".")


def predictor_choice(facts: Facts) -> Blocks:
    yield p(
        "The study's file names the predictors (item 9b); none is chosen or dropped by a look at "
        "the outcome. How much each one matters to the model is in item 23a."
    )
    if later := facts.params.roles.known_after_treatment:
        yield p(
            in_words(facts, later),
            (" is" if len(later) == 1 else " are"),
            " known only after treatment. A request may leave it out, and the score is then a mean "
            "over what was recorded with the rest.",
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
    headings = ("Predictor", "Kind", "Values", "Unit", "May be missing", "What it is")
    yield table("The predictors, and what they may say", headings, rows)


def values_of(kind: Kind) -> Markup:
    """Say which values a column may have: its list, or its range."""
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
        f": all that {'there are' if data.outcomes else 'the file has'}. "
        f"{data.training_rows:,} train the model, {data.held_out_rows:,} evaluate it. Files of "
        f"fewer than {facts.params.dataset.min_rows:,} rows are refused.",
    )
    curve = facts.learning_curve
    if curve:
        yield p("Whether more rows would help: ", curve.says)
    else:
        yield p(WHERE_THE_CURVE_IS)


WHERE_THE_CURVE_IS = joined(
    (
        "Whether more rows would help is measured beside the promotion: once there is a learning ",
        "curve, ",
        code("GET /report"),
        " and ",
        code("GET /model"),
        " have it.",
    )
)


def missing_data(facts: Facts) -> Blocks:
    params, missing = facts.params, facts.card.data.missing
    yield p(
        "No row is left out for what it does not say, and no cell is filled in before the model: "
        "it is told what is missing. A file with a row that has no outcome is refused."
    )
    if found := [(name, count) for name, count in missing.items() if count]:
        rows = [
            (facts.label(name), f"{count:,}", percent(count / facts.card.data.rows))
            for name, count in found
        ]
        yield table("Missing cells", ("Predictor", "Cells", "Of all rows"), rows)
    elif any(kind.nullable for kind in params.features.values()):
        yield p("In these data, no predictor is missing anywhere.")
    else:
        yield p("No predictor of this study may be missing, and none is.")


# ---- Analytical methods ----


def division(facts: Facts) -> Blocks:
    data, training = facts.card.data, facts.card.training
    yield p(
        f"Rows are divided at random (seed {training.seed}) before anything is fitted: "
        f"{data.training_rows:,} to train on, {data.held_out_rows:,} "
        f"({percent(data.held_out_rows / data.rows)}) held out. Encoding, hyperparameters and "
        "intervals come from the training rows alone; every figure of item 23a comes from the "
        "held-out rows alone."
    )


def encoding(facts: Facts) -> Blocks:
    yield p(
        "Numbers enter as they are, dates as days since another day, and each category as an "
        "indicator of its own; none is cut into classes. A linear model standardizes numbers by "
        "the training rows, and has an indicator of what is missing beside its mean."
    )
    features = facts.params.features.values()
    words = sum(kind.categories is not None for kind in features)
    yield p(f"Of {counted(len(features), 'predictor')}, {words} are categories.")


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
        yield p("The hyperparameters are those of the study's file; none was tuned.")
        return
    tried = training.tuning.candidates
    best = [one for one in tried if one.rmse is not None]
    yield p(
        f"They were chosen from {counted(len(tried), 'candidate')} of the grid ",
        said(training.tuning.grid),
        ", cross-validated on the training rows: the simplest with an RMSE of at most "
        f"{number(training.tuning.limit, facts.decimals + 1)} {unit}, one standard error over the "
        f"best. {counted(len(tried) - len(best), 'candidate')} failed.",
    )
    yield table(
        "The candidates with the least error",
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
        "The system knows no clusters, such as hospitals or countries: rows are treated as "
        "patients independent of one another. A column of centres can be made a subgroup (",
        code("roles.subgroups"),
        "), and its errors are then in item 23a. What the study says of clusters is in item 23b.",
    )


def measures(facts: Facts) -> Blocks:
    params, verdict = facts.params, facts.verdict
    yield listed(
        (
            (
                f"RMSE and MAE in {facts.unit}, and R²: 1 less squared errors over squared "
                "deviations from the rows' own mean."
            ),
            (
                "The same of always answering the training rows' average, and of a ridge "
                "regression, with paired differences from both."
            ),
            "Calibration: intercept, slope, calibration in the large, bins, and a smooth line.",
            (
                f"Coverage of the {level(verdict.coverage.target)} intervals, overall and by "
                "subgroup."
            ),
            "Where treatments are compared, whether predicted win probabilities come true.",
            (
                f"Intervals around figures are bootstrap intervals of {facts.confidence} "
                f"({params.evaluation.resamples:,} resamples of held-out rows)."
            ),
        )
    )
    yield p(
        "A version serves if its graph answers as the fitted model does (largest difference "
        f"{wording.tiny(verdict.parity.max_error)} {facts.unit}), its intervals cover what they "
        f"should within {points(verdict.coverage.tolerance)}, and no model that served before it "
        "is better. Without skill over the average it is ",
        escaped(params.gate.without_skill.replace("_", " ")),
        ".",
    )


def updating(_: Facts) -> Blocks:
    yield p(
        "None: no version is recalibrated or changed after its evaluation. New data train a new "
        "version, which is evaluated anew."
    )


def computed(facts: Facts) -> Blocks:
    parity = facts.verdict.parity
    yield p(
        "The very graph that serves (ONNX) answered every held-out row. The fitted model answers "
        f"the same but for {wording.tiny(parity.max_error)} {facts.unit} at most. Scores are held "
        "to the outcome's range."
    )


def imbalance(_: Facts) -> Blocks:
    yield p(
        "Not applicable: the outcome is a score, not a class, so no class can be rare, and nothing "
        "was resampled or weighted. Where scores are rare, errors are less sure: see the bins of "
        "the calibration in item 23a."
    )


def fairness(facts: Facts) -> Blocks:
    groups = tuple(facts.params.roles.subgroups)
    if not groups:
        yield p(
            "The study names no subgroups, so errors are told of none (",
            code("roles.subgroups"),
            ").",
        )
        return
    together = (
        "hold for all groups at once"
        if facts.card.simultaneous
        else "hold each for itself: of many groups, some stand out by chance"
    )
    yield p(
        "Errors and the coverage of intervals are measured by ",
        in_words(facts, groups),
        f" on held-out rows (item 23a). Their intervals {together}. Groups of fewer than "
        f"{facts.params.evaluation.min_subgroup_rows} rows get no figures.",
    )
    off = [one for one in facts.card.subgroups if one.off_zero]
    if off:
        yield p(
            "Scores are off to one side in ",
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
        yield p("In no group are scores off to one side by more than chance allows.")
    by = facts.card.interval.by
    yield (
        p("The groups of ", in_words(facts, by), " have intervals of their own.")
        if by
        else p("All patients have intervals of the same width.")
    )


def output(facts: Facts) -> Blocks:
    interval, params = facts.card.interval, facts.params
    yield p(
        "A score in units of the outcome, ",
        facts.target,
        f" in {facts.unit}, to {counted(params.target.decimals, 'decimal')}, with an interval that "
        f"should hold {level(interval.coverage)} of the outcomes: the score ± "
        f"{facts.value(interval.half_width)} {facts.unit}, from {interval.residuals:,} residuals "
        f"of {interval.folds}-fold cross-validation. There is no class and no threshold; the bands "
        "of item 8a are words for people.",
    )
    yield p(
        "Each answer also says on how many training rows it rests, and whether the model beats the "
        "average."
    )


def training_and_evaluation(facts: Facts) -> Blocks:
    yield p(
        "Not by setting, eligibility, outcome or predictors: held-out rows are a random part of "
        "the same file. This is internal validation, and does not tell how the model does "
        "elsewhere or later."
    )
    champion = facts.verdict.champion
    if champion:
        yield p(
            f"The model that served before was compared on the {champion.rows:,} held-out rows "
            "that it was not trained on either."
        )


def code_sharing(_: Facts) -> Blocks:
    yield p(
        "Which code, parameters and data made this version is in its lineage (item 22); unchanged, "
        "they make the same version again."
    )


def data_sharing(facts: Facts) -> Blocks:
    yield p("The file can be told by its SHA-256: ", code(facts.card.data.sha256), ".")
