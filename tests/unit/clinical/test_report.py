"""The TRIPOD+AI report: every item is answered or marked, and its numbers are the card's."""

import itertools
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from clinical.card import Card, Tuning, TuningCandidate
from clinical.hyperparameters import Ridge
from clinical.params import Report, params
from clinical.report import ITEMS, Item, unstated
from clinical.report.answers import ANSWERS
from clinical.report.wording import (
    MINUS,
    NOT_MEASURED,
    estimate,
    level,
    number,
    percent,
    share,
    tiny,
)
from clinical.verdict import (
    AgainstChampion,
    Averaged,
    Baseline,
    Calibration,
    CalibrationBin,
    Coverage,
    CurvePoint,
    Estimate,
    Subgroup,
    Verdict,
    WinBin,
    Wins,
)

from local.studies import names, study_of
from tests import monitored, replays
from tests.unit.clinical.reports import Page, around, learned, served, stating, words
from tests.unit.conftest import Candidate, with_column

MOST_BYTES = 300_000
# As published: Collins et al., BMJ 2024;385:e078378, for development and evaluation.
NUMBERS = [
    *("1", "2", "3a", "3b", "3c", "4"),
    *("5a", "5b", "6a", "6b", "6c", "7", "8a", "8b", "8c", "9a", "9b", "9c", "10", "11"),
    *("12a", "12b", "12c", "12d", "12e", "12f", "12g", "13", "14", "15", "16", "17"),
    *("18a", "18b", "18c", "18d", "18e", "18f", "19"),
    *("20a", "20b", "20c", "21", "22", "23a", "23b", "24", "25", "26", "27a", "27b", "27c"),
]
OF_PEOPLE = [one for one in ITEMS if one.key]
# What was added to a card since the first release.
LATER = ("baseline", "calibration", "wins", "averaged", "champion")


@pytest.fixture(scope="session")
def card(candidate: Candidate) -> Card:
    return Card.model_validate_json(candidate.findings["card.json"])


@pytest.fixture(scope="session")
def full(card: Card) -> Card:
    """A card with everything measured, whatever release made the other."""
    bins = tuple(
        CalibrationBin(predicted=at, recorded=around(at + 0.1, 0.4), rows=20) for at in (3, 5, 8)
    )
    wins = Wins(
        rows=200,
        bins=(
            WinBin(predicted=0.05, won=None, pairs=3),
            WinBin(predicted=0.45, won=around(0.44), pairs=900),
            WinBin(predicted=0.85, won=around(0.87), pairs=800),
        ),
        holds=True,
    )
    verdict = changed_verdict(
        card.verdict,
        baseline=Baseline(
            name="Ridge regression",
            scores=card.verdict.candidate,
            rmse_difference=around(0.01, 0.02),
            average_difference=around(-0.5),
        ),
        calibration=Calibration(
            intercept=around(0.11),
            slope=around(0.97),
            in_the_large=around(-0.03),
            bins=bins,
        ),
        wins=wins,
    )
    group = Subgroup(
        feature="Gender",
        group="Female",
        rows=80,
        rmse=around(0.9),
        mae=around(0.7),
        mean_error=around(0.2),
        coverage=around(0.85),
        off_zero=True,
    )
    few = Subgroup(feature="Age", group="65-79", rows=4)
    curve = tuple(CurvePoint(predicted=at, recorded=around(at, 0.3)) for at in (3, 5, 8))
    return card.model_copy(
        update={
            "verdict": verdict,
            "subgroups": (group, few),
            "simultaneous": True,
            "calibration_curve": curve,
        }
    )


@pytest.fixture(scope="session")
def page(full: Card) -> Page:
    """Of a study whose people state nothing."""
    return Page.of(served(full, learned()), stating(params()))


def changed_verdict(verdict: Verdict, **changes: Any) -> Verdict:
    return verdict.model_copy(update=changes)


def test_the_items_are_those_of_the_checklist_in_its_order() -> None:
    assert [one.number for one in ITEMS] == NUMBERS


def test_each_key_of_the_studys_report_answers_one_item() -> None:
    assert [one.key for one in OF_PEOPLE] != []
    assert sorted(one.key for one in OF_PEOPLE) == sorted(Report.model_fields)


def test_no_answer_is_of_an_item_that_there_is_not() -> None:
    assert set(ANSWERS) <= set(NUMBERS)


def test_the_report_has_every_item_once_and_in_order(page: Page) -> None:
    articles = [one.get("id") for one in page.elements if one.tag == "article"]

    assert articles == [f"item-{number}" for number in NUMBERS]


@pytest.mark.parametrize("item", ITEMS, ids=lambda one: one.number)
def test_an_item_is_answered_or_marked(page: Page, item: Item) -> None:
    article = page.item(item.number)
    inside = list(article)[1:]  # without its heading
    marks = [one.get("data-missing") for one in article.iter() if one.get("data-missing")]

    assert marks == ([item.key] if item.key else [])
    assert len(inside) > len(marks) or marks
    assert all(words(one) for one in inside if one.tag == "p")


@pytest.mark.parametrize("item", OF_PEOPLE, ids=lambda one: one.key)
def test_what_people_state_is_in_its_item_and_no_longer_missing(card: Card, item: Item) -> None:
    decisions = stating(params(), **{item.key: "First words.\n\nSecond words."})

    page = Page.of(card, decisions)

    assert "Stated by the studyFirst words.Second words." in page.said(item.number)
    assert item not in unstated(decisions)
    assert len(unstated(decisions)) == len(OF_PEOPLE) - 1
    assert f'data-missing="{item.key}"' not in page.text
    assert item.anchor not in links_of_the_first_page(page)


def links_of_the_first_page(page: Page) -> list[str]:
    """To items, by their anchors."""
    header = page.root.find("body/header")
    assert header is not None
    links = [one.get("href", "") for one in header.iter("a")]
    return [one.removeprefix("#") for one in links if one.startswith("#")]


def test_the_first_page_lists_what_is_missing_with_links(page: Page) -> None:
    assert links_of_the_first_page(page) == [one.anchor for one in OF_PEOPLE]
    assert f"{len(OF_PEOPLE)} of {len(ITEMS)} items lack what only people can state." in page.first


def test_where_nothing_is_missing_the_first_page_says_so(card: Card) -> None:
    decisions = stating(params(), **dict.fromkeys(Report.model_fields, "Stated."))

    page = Page.of(card, decisions)

    assert unstated(decisions) == ()
    assert "None: the study states everything that only people can state." in page.first
    assert "data-missing" not in page.text
    assert not [one for one in page.elements if one.get("class") == "mark"]


def test_blanks_are_no_statement() -> None:
    assert len(unstated(stating(params(), ethics=" \n "))) == len(OF_PEOPLE)


@pytest.mark.parametrize("name", ["", *names()])
def test_no_shipped_study_invents_an_approval(name: str) -> None:
    missing = {one.key for one in unstated(study_of(name).params())}

    assert {"ethics", "funding", "conflicts", "registration"} <= missing
    assert {"objectives", "data_source", "intended_use"}.isdisjoint(missing)


# ---- The first page's verdict ----

BETTER, WORSE, EITHER = around(-0.5), around(0.5), around(0.01, 0.04)


@pytest.mark.parametrize(
    ("beats", "difference", "verb"),
    [
        (True, BETTER, "The model beats the average baseline: its RMSE is "),
        (False, EITHER, "The model does not beat the average baseline: its RMSE is "),
        (False, WORSE, "The model does worse than the average baseline: its RMSE is "),
    ],
)
def test_the_first_page_says_whether_it_beats_the_average(
    full: Card, beats: bool, difference: Estimate, verb: str
) -> None:
    verdict = changed_verdict(full.verdict, beats_average=beats, rmse_difference=difference)

    first = Page.of(full.model_copy(update={"verdict": verdict}), params()).first

    assert verb in first
    low, high = number(difference.low, signed=True), number(difference.high, signed=True)
    told = number(difference.value, signed=True)
    assert f"a difference of {told} (95% interval {low} to {high})." in first
    assert ("Do not interpret differences" in first) is not beats


@pytest.mark.parametrize(
    ("beats", "average_difference", "says"),
    [
        (False, EITHER, "does not beat the average either"),
        (False, BETTER, "does beat the average"),
        (True, EITHER, "does not beat the average"),
        (True, BETTER, "also beats the average"),
    ],
)
@pytest.mark.parametrize(
    ("rmse_difference", "compares"),
    [
        (BETTER, "The model is better than ridge regression"),
        (WORSE, "The model is worse than ridge regression"),
        (EITHER, "The held-out rows do not show whether the model or ridge regression is better"),
    ],
)
def test_the_first_page_says_the_same_of_the_ridge(
    full: Card,
    beats: bool,
    average_difference: Estimate,
    says: str,
    rmse_difference: Estimate,
    compares: str,
) -> None:
    assert full.verdict.baseline
    changes = {"average_difference": average_difference, "rmse_difference": rmse_difference}
    baseline = full.verdict.baseline.model_copy(update=changes)
    verdict = changed_verdict(full.verdict, beats_average=beats, baseline=baseline)

    first = Page.of(full.model_copy(update={"verdict": verdict}), params()).first

    assert f"Ridge regression on the same training rows {says}: its RMSE is " in first
    assert f"{compares}: a difference of " in first


def test_a_difference_of_nothing_is_no_row_of_zeros(full: Card) -> None:
    assert full.verdict.baseline
    baseline = full.verdict.baseline.model_copy(update={"average_difference": around(0, 1e-5)})
    verdict = changed_verdict(full.verdict, baseline=baseline)

    first = Page.of(full.model_copy(update={"verdict": verdict}), params()).first

    assert "points, no difference (to 3 decimals) from the average's." in first


# ---- Numbers ----


def test_the_numbers_are_the_cards(full: Card, page: Page) -> None:
    verdict, told = full.verdict, page.said("23a")
    assert verdict.calibration
    assert verdict.wins
    assert verdict.baseline

    for one in (verdict.candidate, verdict.average, verdict.baseline.scores):
        for figure in (one.rmse, one.mae, one.r2):
            assert estimate(figure) in told
    assert estimate(verdict.skill) in told
    assert percent(verdict.coverage.measured) in told
    assert f"Slope {estimate(verdict.calibration.slope)}" in told
    assert f"Intercept {estimate(verdict.calibration.intercept)}" in told
    assert estimate(verdict.calibration.in_the_large, signed=True) in told
    for bin_ in verdict.calibration.bins:
        assert f"{number(bin_.predicted)}{estimate(bin_.recorded)}{bin_.rows}" in told
    for pairs in verdict.wins.bins:
        assert f"{number(pairs.predicted)}{share(pairs.won)}{pairs.pairs}" in told
    for point in learned().points:
        assert f"{point.rows}{estimate(point.rmse)}2" in told
    for importance in full.importances:
        assert f"{number(importance.mean, 4)}{number(importance.std, 4)}" in told
    assert "Gender: Female+0.200 (+0.150 to +0.250)yes" in told
    assert "Gender: Female8085.0% (80.0% to 90.0%)" in told
    assert "Age: 65-794too few rowstoo few rows" in told


def test_the_data_are_those_of_the_card(full: Card, page: Page) -> None:
    data, training = full.data, full.training

    assert data.sha256 in page.said("5a")
    assert "800 for training, 200 (20.0%) held out" in page.said("12a")
    assert f"seed {training.seed}" in page.said("12a")
    assert f"R² {number(training.cross_validation_r2)}" in page.said("12c")
    for name, value in training.hyperparameters.model_dump().items():
        assert f"{name}{value}" in page.said("12c")
    assert full.lineage.params_sha256 in page.said("22")
    assert full.lineage.stages["train"].wrote["onnx"] in page.said("22")
    for reason in full.verdict.reasons:
        assert " ".join(reason.split()) in page.said("25")
    for limit in full.overview.limits:
        assert " ".join(limit.split()) in page.said("26")


def test_predictors_have_their_kinds_ranges_and_units(page: Page) -> None:
    told = page.said("9b")

    assert "Agewhole number18 to 79yearsnoYears" in told
    assert "GendercategoryFemale, Male" in told
    assert "Dosagelevel50, 100, 250, 500, 850mgno" in told


def test_a_long_list_of_values_is_cut_with_its_count(full: Card) -> None:
    many = with_column(params(), "Gender", values=tuple(f"g{one}" for one in range(100)))

    told = Page.of(full, many).said("9b")

    assert "g38, g39 and 60 more" in told


def test_missing_cells_are_counted(full: Card) -> None:
    decisions = with_column(params(), "Age", nullable=True)
    data = full.data.model_copy(update={"missing": {"Age": 25}})

    some = Page.of(full.model_copy(update={"data": data}), decisions)
    none = Page.of(full, decisions)

    assert "Age252.5%" in some.said("11")
    assert "yes" in some.said("9b")
    assert "May be missing, which the model handles: Age." in some.said("27a")
    assert "no predictor has missing values" in none.said("11")


def test_the_learning_curve_is_where_it_is_told_to_be(full: Card) -> None:
    published = Page.of(full, params())

    for number_ in ("10", "23a"):
        assert "once there is a learning curve, it is in GET /report and GET /model" in (
            published.said(number_)
        )
    assert "The history of promotions is in GET /report" in published.said("24")


def test_what_came_of_predictions_is_told_once_the_monitor_has_run(full: Card) -> None:
    before = Page.of(served(full), params())
    after = Page.of(served(full, monitoring=monitored.a_life()), params())

    assert "and at later times, is pending" in before.said("27c")
    assert "not on other patients, places or times" in before.said("26")
    assert monitored.MOVED in after.said("27c")
    assert monitored.WORSE in after.said("27c")
    assert "On 140 outcomes, its RMSE is 1.310 (1.170 to 1.450) points" in after.said("27c")
    assert "predicting the average 1.520 (1.360 to 1.680)" in after.said("27c")
    assert "83.0% (77.0% to 89.0%) of the prediction intervals contain" in after.said("27c")
    assert "For later patients, see the outcomes of its predictions" in after.said("26")


def test_a_monitor_without_outcomes_changes_no_limitation(full: Card) -> None:
    life = monitored.a_life().model_copy(update={"last": monitored.nothing()})

    page = Page.of(served(full, monitoring=life), params())

    assert monitored.TOO_FEW in page.said("27c")
    assert "its RMSE is" not in page.said("27c")
    assert "not on other patients, places or times" in page.said("26")


def test_the_last_promotions_are_listed_where_they_are_known(page: Page, full: Card) -> None:
    assert f"1{full.model_version}2026-11-23 12:000.500yesto see it serve" in page.said("24")


def test_scores_of_patients_of_whom_something_is_unknown_are_told(full: Card) -> None:
    averaged = Averaged(
        over=("Side_Effects",),
        scores=full.verdict.candidate,
        coverage=Coverage(target=0.9, measured=0.872, tolerance=0.05, holds=True),
    )
    verdict = changed_verdict(full.verdict, averaged=(averaged,))

    told = Page.of(full.model_copy(update={"verdict": verdict}), params()).said("23a")

    assert "This model without Side effect" in told
    assert "without Side effect 87.2%" in told


def test_a_tuning_is_told_with_its_failures(full: Card) -> None:
    forest = full.training.hyperparameters
    tuning = Tuning(
        grid="small",
        limit=1.25,
        candidates=(
            TuningCandidate(hyperparameters=forest, rmse=1.2, standard_error=0.05, best=True),
            TuningCandidate(
                hyperparameters=Ridge(alpha=30), rmse=1.23, standard_error=0.04, chosen=True
            ),
            TuningCandidate(hyperparameters=forest, error="States.Timeout"),
        ),
    )
    training = full.training.model_copy(update={"tuning": tuning})

    told = Page.of(full.model_copy(update={"training": training}), params()).said("12c")

    assert "chosen from 3 candidates in the grid small" in told
    assert "1 candidate failed." in told
    assert "family ridge, alpha 30.01.23000.0400chosen" in told
    assert "1.20000.0500best" in told
    assert told.index("chosen") < told.index("1.2000")  # what was chosen stands first


def test_what_served_before_is_told_beside_it(full: Card) -> None:
    champion = AgainstChampion(
        version="v-before",
        sequence=1,
        rows=150,
        scores=full.verdict.average,
        rmse_difference=around(-0.1),
        beats_average=True,
    )
    verdict = changed_verdict(full.verdict, champion=champion)

    page = Page.of(full.model_copy(update={"verdict": verdict}), params())

    assert "Previous champion v-before, on 150 rows" in page.said("23a")
    assert "150 held-out rows that it was not trained on" in page.said("16")
    assert "Comparison with the previous champion150" in page.said("21")


def test_what_it_would_have_said_is_told_where_requests_were_replayed(full: Card) -> None:
    replay = replays.a_replay()
    replayed = full.verdict.model_copy(update={"replay": replay})
    void = replayed.model_copy(update={"replay": replay.model_copy(update={"void": "Nothing."})})

    told = Page.of(
        full.model_copy(update={"verdict": replayed, "replayed": replays.its_groups()}), params()
    ).said("23a")
    of_nothing = Page.of(full.model_copy(update={"verdict": void}), params()).said("23a")

    assert (
        "9,812 requests from 2026-10-27 to 2026-11-25 were replayed against this model and the "
        "previous champion v-4e5f6a7b. The score changes by a median of +0.020 points; half of the "
        f"changes are between {MINUS}0.200 and +0.300, and nine in ten between {MINUS}0.600 and "
        "+1.100. 7.3% of the scores change by more than the half-width of v-4e5f6a7b's interval "
        "(median: ±0.900 points). 12 requests that v-4e5f6a7b answers would be refused."
    ) in told
    assert "On 140 outcomes of these that neither was trained on, with 95% intervals" in told
    assert "sex: 19,000+0.110 (+0.070 to +0.150)4" in told
    assert "sex: 38too few requests0" in told
    assert "Replay of captured requests" not in of_nothing


def test_very_many_groups_are_told_up_to_a_number(full: Card) -> None:
    groups = tuple(
        full.subgroups[0].model_copy(update={"group": f"group {one}"}) for one in range(1000)
    )

    page = Page.of(full.model_copy(update={"subgroups": groups}), params())

    assert "Gender: group 99" in page.said("23a")
    assert "Gender: group 100" not in page.said("23a")
    assert "900 more groups in GET /model." in page.said("23a")
    assert "Gender: group 19, and 980 more groups." in page.said("14")
    assert len(page.text.encode()) < MOST_BYTES


def test_intervals_of_groups_are_told(full: Card) -> None:
    interval = full.interval.model_copy(update={"by": ("Gender",)})

    told = Page.of(full.model_copy(update={"interval": interval}), params()).said("14")

    assert "Prediction intervals are separate for the groups of Gender." in told
    assert "Scores are biased in one direction in Gender: Female." in told


# ---- A card of an earlier release ----


def test_what_an_earlier_release_did_not_measure_is_told(card: Card) -> None:
    plain = json.loads(card.model_dump_json())
    for name in LATER:
        plain["verdict"].pop(name, None)
    for name in ("simultaneous", "calibration_curve"):
        plain.pop(name)
    plain["data"].pop("missing")
    for name in ("family", "max_samples"):
        plain["training"]["hyperparameters"].pop(name, None)
    for group in plain["subgroups"]:
        group.pop("coverage", None)
    earlier = Card.model_validate(plain)
    assert earlier.training.hyperparameters.model_dump()["max_samples"] is None  # it saw all rows

    page = Page.of(served(earlier), params())

    told = page.said("23a")
    assert f"Calibration{NOT_MEASURED}" in told
    assert f"Win probabilities{NOT_MEASURED}" in told
    assert "Coverage by subgroup: not measured by the release" in told
    assert "such as ridge regression: not measured by the release" in page.first
    assert "Each interval holds only by itself" in told


# ---- Whatever a study says ----

HOSTILE = "</script><img src=x onerror='a()'>\"&amp; ماكس 患者 \x07\u202e{{x}} %s"


def test_a_studys_words_are_text_and_nothing_else(full: Card) -> None:
    decisions = stating(params(), **dict.fromkeys(Report.model_fields, HOSTILE))
    for name in params().features:
        decisions = with_column(decisions, name, label=HOSTILE, description=HOSTILE, unit=HOSTILE)
    decisions = with_column(decisions, "Gender", values=(HOSTILE, "Male"))
    study = decisions.study.model_copy(
        update=dict.fromkeys(("title", "question", "introduction", "disclaimer"), HOSTILE)
    )
    target = decisions.target.model_copy(update={"bands": {HOSTILE: 0.0}})
    decisions = decisions.model_copy(update={"study": study, "target": target})
    overview = full.overview.model_copy(update={"limits": (HOSTILE,), "algorithm": HOSTILE})
    group = full.subgroups[0].model_copy(update={"group": HOSTILE})
    verdict = changed_verdict(full.verdict, reasons=(HOSTILE,))
    hostile = full.model_copy(
        update={"overview": overview, "subgroups": (group,), "verdict": verdict}
    )

    page = Page.of(served(hostile), decisions)

    assert {one.tag for one in page.elements}.isdisjoint({"script", "img"})
    assert not [name for one in page.elements for name in one.attrib if name.startswith("on")]
    expected = " ".join(HOSTILE.replace("\x07", "\N{REPLACEMENT CHARACTER}").split())
    for item in OF_PEOPLE:
        assert expected in page.said(item.number)
    assert expected in page.first
    assert expected in page.said("23a")
    assert "\x07" not in page.text


# ---- The page ----


def test_it_is_small_and_asks_nobody_for_anything(page: Page) -> None:
    assert len(page.text.encode()) < MOST_BYTES
    assert {one.tag for one in page.elements}.isdisjoint({"script", "img", "iframe", "object"})
    loaded = {one.get("href") for one in page.elements if one.tag == "link"}
    assert loaded == {"data:,"}
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = [one.get("id") for one in page.elements if one.get("id")]
    links = [one.get("href", "") for one in page.elements if one.tag == "a"]
    labelled = [one.get("aria-labelledby") for one in page.elements]

    assert len(ids) == len(set(ids))
    assert {one.removeprefix("#") for one in links if one.startswith("#")} <= set(ids)
    assert {one for one in labelled if one} <= set(ids)


def test_headings_skip_no_level(page: Page) -> None:
    levels = [int(one.tag[1]) for one in page.elements if one.tag in {"h1", "h2", "h3", "h4"}]

    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_tables_have_captions_and_as_many_cells_as_headings(page: Page) -> None:
    tables = [one for one in page.elements if one.tag == "table"]

    assert len(tables) > 10
    for table in tables:
        caption = table.find("caption")
        assert caption is not None
        assert words(caption)
        widths = {len(list(row)) for row in table.iter("tr")}
        assert len(widths) == 1, words(caption)


def test_every_figure_of_item_23a_is_drawn_and_told_in_words(page: Page) -> None:
    plots = [one for one in page.item("23a").iter("svg") if one.get("role") == "img"]

    assert len(plots) == 3
    for plot in plots:
        assert plot.get("aria-label")
    captions = [words(one) for one in page.item("23a").iter("figcaption")]
    assert len(captions) == 3
    assert len(list(plots[0].iter("circle"))) == 3
    assert len(list(plots[1].iter("circle"))) == 2  # one bin has too few pairs
    assert len(list(plots[2].iter("circle"))) == 4


def test_a_model_whose_predictions_are_all_the_same_is_drawn_too(full: Card) -> None:
    same = Estimate(value=5, low=5, high=5)
    calibration = Calibration(
        intercept=same,
        slope=Estimate(value=0, low=0, high=0),
        in_the_large=same,
        bins=(CalibrationBin(predicted=5, recorded=same, rows=200),),
    )
    verdict = changed_verdict(full.verdict, calibration=calibration)
    update = {"verdict": verdict, "calibration_curve": (), "subgroups": ()}

    page = Page.of(full.model_copy(update=update), params())

    assert "nan" not in ET.tostring(page.item("23a"), encoding="unicode")
    assert "The study defines none." in page.said("23a")


@pytest.mark.parametrize("name", names())
def test_other_studies_have_reports_too(full: Card, name: str) -> None:
    decisions = study_of(name).params()

    page = Page.of(served(full), decisions)

    assert decisions.study.title in page.first
    for item in OF_PEOPLE:
        if said := getattr(decisions.study.report, item.key):
            assert " ".join(said.split()) in page.said(item.number)


# ---- How numbers are written ----


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert number(-0.0361) == f"{MINUS}0.036"
    assert number(-0.0001) == "0.000"
    assert number(0.0001, signed=True) == "0.000"
    assert number(0.017, signed=True) == "+0.017"
    assert number(12345.6, 1) == "12,345.6"
    assert (level(0.95), level(0.9), level(0.999)) == ("95%", "90%", "99.9%")
    assert percent(0.88) == "88.0%"
    assert tiny(2.06688e-06) == f"2.1e{MINUS}06"
    assert (estimate(None), share(None)) == ("too few rows", "too few rows")
