"""The site of any study, in a real browser, with an API that is made up: it needs no cloud."""

import itertools
import re
from collections.abc import Callable, Iterator

import pytest
from clinical.monitored import Monitoring
from clinical.verdict import Replayed
from playwright.sync_api import Locator, Page, expect

from tests import monitored, replays
from tests.browser import cards, studies
from tests.browser.conftest import Visit, Windows
from tests.browser.form import fault, field, fill
from tests.browser.studies import Study

STUDIES = {
    "drugs": studies.drugs,
    "diabetes": studies.diabetes,
    "trial": studies.trial,
    "everything": studies.everything,
}
MINUS = "\N{MINUS SIGN}"
GOOD, FAIR, BAD = "var(--good)", "var(--fair)", "var(--bad)"


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest) -> Study:
    return STUDIES[request.param]()


# Where things are depends on the width, and how they stand out on the colours: one of each will do.
@pytest.fixture(params=[(1200, 900, "light"), (360, 740, "dark")], ids=["desk", "dark-phone"])
def window(request: pytest.FixtureRequest, windows: Windows) -> Iterator[Visit]:
    width, height, scheme = request.param
    with windows.visit(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    ) as visit:
        yield visit


def opened(visit: Visit, study: Study) -> Page:
    study.serve(visit.page)
    visit.page.goto(f"{studies.URL}index.html")
    expect(visit.page.locator("#form")).to_be_visible()
    return visit.page


def predicted(visit: Visit, study: Study) -> Page:
    page = opened(visit, study)
    fill(page, study.patient)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#result")).to_be_visible()
    return page


def legends(page: Page) -> list[str]:
    return page.locator("legend").all_inner_texts()


def labels(page: Page, fieldset: int) -> list[str]:
    return page.locator("fieldset").nth(fieldset).locator("label").all_inner_texts()


def test_any_study_is_asked_for_predicted_explained_and_accessible(
    window: Visit, study: Study, request: pytest.FixtureRequest
) -> None:
    study.monitoring = monitored.a_life()
    page = predicted(window, study)
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#explanation li").first).to_be_visible()
    page.locator("#record").click()
    expect(page.locator("#outcome")).to_be_visible()
    if page.locator("#compare").is_visible():
        page.locator("#compare").click()
        expect(page.locator("#comparison li").first).to_be_visible()

    window.assert_accessible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    window.keep(re.sub(r"\W+", "-", request.node.name))
    page.goto(f"{studies.URL}model.html")
    expect(page.locator("section")).to_have_count(10)
    expect(page.get_by_role("img")).to_have_count(3 + 2 + 5)  # 2 of its replay, 5 of its life since
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.get_by_text("too few rows").first).to_be_visible()
    window.assert_accessible()
    window.keep(re.sub(r"\W+", "-", f"{request.node.name}-model"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert window.complaints == []


def section(page: Page, title: str) -> Locator:
    """Find a section by its heading."""
    return page.locator("section", has=page.get_by_role("heading", name=title, exact=True))


def test_what_is_sent_is_as_the_contract_has_it(visit: Visit, study: Study) -> None:
    predicted(visit, study)

    path, sent = study.asked[-1]
    assert path == "v1/predict"
    nothing = {one["name"]: None for one in study.asked_fields}
    assert sent == nothing | study.patient


def test_the_drug_study_is_asked_for_as_ever(visit: Visit) -> None:
    page = opened(visit, studies.drugs())

    assert legends(page) == ["Patient", "Treatment", "Known only after treatment starts"]
    assert labels(page, 0) == ["Patient ID", "Age (years)", "Gender"]
    assert labels(page, 1) == [
        "Condition",
        "Drug",
        "Dosage (mg)",
        "Treatment duration (days)",
    ]
    assert labels(page, 2) == ["Side effect"]


def test_what_is_known_only_after_treatment_can_be_left_out(window: Visit) -> None:
    study = studies.drugs()
    page = opened(window, study)
    later = field(page, "Side_Effects")
    expect(later).to_be_disabled()  # until the fields before it are chosen
    fill(page, {name: one for name, one in study.patient.items() if name != "Side_Effects"})

    expect(later.locator("option").first).to_have_text("Not known yet")
    expect(later).to_have_value("")  # though one effect alone was recorded
    expect(page.locator("form div:has(> [data-name='Side_Effects']) .hint")).to_have_text(
        "Choose the dosage first. Leave this empty to predict before treatment."
    )
    page.get_by_role("button", name="Predict").click()

    expect(page.locator("#averaged")).to_have_text(
        "Averaged over side effect, which is not known before treatment; values that were recorded "
        "more often count more."
    )
    expect(page.locator("#interval")).to_contain_text("the same condition, drug and dosage.")
    assert study.asked[-1] == ("v1/predict", study.patient | {"Side_Effects": None})
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#explanation li", has_text="Side effect")).to_contain_text("not known yet")
    page.get_by_role("button", name="Compare treatments").click()
    expect(page.locator("#comparison")).to_contain_text("Averaged over side effect")
    window.assert_accessible()
    assert window.complaints == []


def test_what_is_known_already_is_told_as_ever(visit: Visit) -> None:
    page = predicted(visit, studies.drugs())

    expect(page.locator("#averaged")).to_be_empty()
    expect(page.locator("#interval")).to_contain_text("condition, drug, dosage and side effect.")


def test_several_columns_that_are_known_later_narrow_each_other_only_where_they_are_given(
    visit: Visit,
) -> None:
    study = studies.drugs()
    study.fields.insert(
        1, studies.choice("severity", roles=["recorded_together", "known_after_treatment"])
    )
    study.fields[1]["values"] = ["mild", "severe"]
    for number, one in enumerate(study.combinations):
        one["severity"] = ["mild", "severe"][number % 2]
    page = opened(visit, study)
    assert labels(page, 2) == ["severity", "Side effect"]
    fill(page, {"Condition": "Infection", "Drug_Name": "Ciprofloxacin", "Dosage_mg": 250})
    effects = field(page, "Side_Effects").locator("option")

    assert effects.all_inner_texts() == ["Not known yet", "Headache", "Nausea"]
    field(page, "severity").select_option("severe")
    assert effects.all_inner_texts() == ["Not known yet", "Nausea"]
    field(page, "severity").select_option("")
    assert effects.all_inner_texts() == ["Not known yet", "Headache", "Nausea"]


def test_a_refusal_of_what_was_left_out_is_said_at_its_field(visit: Visit) -> None:
    study = studies.drugs()
    del study.patient["Side_Effects"]
    page = opened(visit, study)
    fill(page, study.patient)
    needed = {"loc": ["body", "Side_Effects"], "msg": "Field required", "type": "missing"}
    study.answer = {"status": 422, "detail": "Refused.", "errors": [needed]}

    page.get_by_role("button", name="Predict").click()

    expect(fault(page, "Side_Effects")).to_have_text("Side effect is missing.")
    expect(field(page, "Side_Effects")).to_be_focused()


def test_a_study_without_treatment_has_one_group_and_nothing_to_compare(visit: Visit) -> None:
    page = predicted(visit, studies.diabetes())

    assert legends(page) == ["Patient"]
    expect(page.locator("#compare")).to_be_hidden()
    expect(page.locator("#interval")).to_contain_text("trained on 9 patients.")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (studies.drugs, "6.40 out of 10"),
        (studies.diabetes, "230 points"),
        (studies.trial, "960 cells/mm³"),
        (studies.everything, "5.6 мм рт. ст."),
    ],
)
def test_a_value_is_told_with_its_scale_or_its_unit(
    visit: Visit, made: Callable[[], Study], words: str
) -> None:
    page = predicted(visit, made())

    expect(page.locator("p:has(> #score)")).to_have_text(words)


@pytest.mark.parametrize("made", STUDIES.values())
def test_the_gauge_is_drawn_to_the_scale_of_the_target(
    visit: Visit, made: Callable[[], Study]
) -> None:
    study = made()
    low, high = study.target["range"]
    page = predicted(visit, study)
    expect(page.locator("#gauge")).to_have_attribute("style", re.compile("--to"))  # a frame later

    drawn = page.locator("#gauge").evaluate(
        """async gauge => {
             await Promise.all(gauge.getAnimations({ subtree: true }).map(one => one.finished));
             const style = getComputedStyle(gauge, "::before"), all = gauge.clientWidth;
             return [parseFloat(style.left) / all, 1 - parseFloat(style.right) / all];
           }"""
    )
    names = {
        float(one.inner_text().replace(MINUS, "-")): one.evaluate(
            """name => {
                 const own = name.getBoundingClientRect();
                 const { x, width } = name.parentElement.getBoundingClientRect();
                 return (own.x + own.width / 2 - x) / width;
               }"""
        )
        for one in page.locator("#ticks span").all()
    }

    interval = study.scored(3)["interval"]
    places = [(interval[end] - low) / (high - low) for end in ("low", "high")]
    assert drawn == pytest.approx(places, abs=0.01)
    assert len(names) >= 2
    for value, place in names.items():
        assert place == pytest.approx((value - low) / (high - low), abs=0.01)


@pytest.mark.parametrize(
    ("higher_is", "band", "tone"),
    [
        ("better", "Low", BAD),
        ("better", "Middle", FAIR),
        ("better", "High", GOOD),
        ("worse", "Low", GOOD),
        ("worse", "Middle", FAIR),
        ("worse", "High", BAD),
    ],
)
def test_colours_say_what_is_good_for_the_patient(
    visit: Visit, higher_is: str, band: str, tone: str
) -> None:
    study = studies.drugs()
    starts = {"Low": (0, 9, 9.5), "Middle": (0, 6, 9), "High": (0, 1, 2)}[band]
    study.target["higher_is"] = higher_is
    study.target["bands"] = [
        {"name": name, "from": start}
        for name, start in zip(("Low", "Middle", "High"), starts, strict=True)
    ]
    page = predicted(visit, study)
    page.get_by_role("button", name="Explain").click()

    expect(page.locator("#band")).to_have_text(band)
    shown = page.locator("#result").evaluate("one => one.style.getPropertyValue('--tone')")
    assert shown == tone
    harmful = MINUS if higher_is == "better" else "+"
    expect(page.locator("#explanation li:has(.bad) > :last-child").first).to_contain_text(harmful)


def test_what_was_not_given_is_told(visit: Visit) -> None:
    study = studies.diabetes()
    for one in study.asked_fields:
        one["nullable"] = one["name"] == "bmi"
    del study.patient["bmi"]
    study.answer = {"missing": ["bmi"]}

    page = predicted(visit, study)

    expect(page.locator("#missing")).to_have_text(
        "Body mass index was not given and is treated as missing."
    )
    expect(page.locator("form div:has(> [data-name='bmi']) .hint")).to_have_text(
        "From 18 to 42.2. Optional."
    )


@pytest.mark.parametrize(
    ("name", "typed", "sentence"),
    [
        ("age", "59.5", "Age must be a whole number."),
        ("age", "", "Age is missing."),
        ("age", "80", "Age must be from 19 to 79."),
        ("bmi", "32.15", "Body mass index must be a number in steps of 0.1."),
        ("bmi", "17.9", "Body mass index must be from 18 to 42.2."),
        ("s5", "3.25815", "Triglycerides, logarithm must be a number in steps of 0.0001."),
    ],
)
def test_numbers_are_checked_before_anything_is_sent(
    visit: Visit, name: str, typed: str, sentence: str
) -> None:
    study = studies.diabetes()
    page = opened(visit, study)
    fill(page, study.patient)
    field(page, name).fill(typed)

    page.get_by_role("button", name="Predict").click()

    expect(fault(page, name)).to_have_text(sentence)
    expect(field(page, name)).to_be_focused()
    assert [path for path, _ in study.asked] == ["v1/dropdown-values"]


def test_a_day_is_checked_too(visit: Visit) -> None:
    study = studies.everything()
    page = opened(visit, study)
    fill(page, study.patient | {"Начало": "2019-12-31"})

    page.get_by_role("button", name="Predict").click()

    expect(fault(page, "Начало")).to_have_text("Начало must be from 2020-01-01 to 2026-01-01.")


def test_what_was_recorded_together_without_a_value_can_be_asked_for_without_it(
    visit: Visit,
) -> None:
    page = opened(visit, studies.everything())
    offered = field(page, "отделение").locator("option")

    expect(field(page, "центр").locator("option").first).to_have_text("Not given")
    assert offered.all_inner_texts() == ["Choose…", "A", "B"]
    field(page, "центр").select_option("東京")

    expect(field(page, "отделение")).to_have_value("A")


def compared(visit: Visit, study: Study) -> Page:
    page = predicted(visit, study)
    page.get_by_role("button", name="Compare treatments").click()
    expect(page.locator("#comparison")).to_be_visible()
    return page


def test_treatments_are_compared_with_the_patients_own_in_pairs(window: Visit) -> None:
    study = studies.drugs()

    page = compared(window, study)

    rows = page.locator("#comparison li")
    assert rows.locator(":scope > :first-child").all_inner_texts() == [
        "Ciprofloxacin 50 mg",
        "Ciprofloxacin 250 mg",
        "Amoxicillin 500 mg",
        "Azithromycin 100 mg",
    ]
    assert rows.locator("p").all_inner_texts() == [
        "This patient's treatment; the others are compared with it.",
        "The patient on Ciprofloxacin 250 mg does better in about 31 of 100 such pairs.",
        "About even with Ciprofloxacin 50 mg.",
        "The patient on Azithromycin 100 mg does better in more than 99 of 100 such pairs.",
    ]
    expect(page.locator("#comparison li.own")).to_have_count(1)
    expect(rows.first).to_contain_text("3.10 (2.10 to 4.10), from 9 patients")
    expect(page.locator("#comparison")).to_contain_text("this is not a recommendation")
    path, sent = study.asked[-1]
    assert path == "v1/compare"
    own = {name: study.patient[name] for name in ("Drug_Name", "Dosage_mg")}
    untreated = set(study.patient) - set(own) - {"Side_Effects"}
    assert sent == {"patient": {name: study.patient[name] for name in untreated}, "reference": own}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    window.assert_accessible()


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.0, "in fewer than 1 of 100"),
        (0.444, "in about 44 of 100"),
        (0.446, "About even with"),
        (0.554, "About even with"),
        (0.556, "in about 56 of 100"),
        (1.0, "in more than 99 of 100"),
    ],
)
def test_a_win_probability_is_told_as_pairs(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, probability: float, words: str
) -> None:
    monkeypatch.setattr(studies, "WON", (probability,))

    page = compared(visit, studies.drugs())

    expect(page.locator("#comparison li p").last).to_contain_text(words)


def test_a_treatment_that_was_never_recorded_is_compared_through_another(visit: Visit) -> None:
    study = studies.everything()
    study.patient["Доза"] = 20

    page = compared(visit, study)

    references = [sent.get("reference") for path, sent in study.asked if path == "v1/compare"]
    assert references == [{"Препарат": "Аспирин", "Доза": 20}, None]
    expect(page.locator("#comparison")).to_contain_text(
        "Аспирин 20 мг was never recorded for such a patient. Treatments are compared with "
        "Аспирин 5 мг instead, which was recorded most often."
    )
    expect(page.locator("#comparison li.own")).to_contain_text("The most often recorded")
    assert visit.complaints == [refused_by_the_api()]


def refused_by_the_api() -> str:
    return (
        "Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"
    )


def test_a_model_that_cannot_compare_says_why(visit: Visit) -> None:
    page = predicted(visit, studies.drugs())
    visit.answer("**/compare", 503, '{"detail": "The model was trained before that."}')

    page.get_by_role("button", name="Compare treatments").click()

    expect(page.locator("#message")).to_have_text("The model was trained before that.")


def test_a_single_treatment_has_nothing_to_be_compared_with(visit: Visit) -> None:
    study = studies.trial()
    study.combinations = study.combinations[1:2]

    page = compared(visit, study)

    expect(page.locator("#comparison")).to_contain_text(
        "No other treatment was recorded to compare with Zidovudine and didanosine."
    )


@pytest.mark.parametrize(
    ("made", "title", "chosen"),
    [
        (studies.drugs, "Recorded treatments of Infection, for this patient", True),
        (studies.trial, "Recorded treatments, for this patient", False),
    ],
)
def test_why_patients_were_on_their_treatments_is_told_unless_chance_decided(
    visit: Visit, made: Callable[[], Study], title: str, chosen: bool
) -> None:
    page = compared(visit, made())

    expect(page.locator("#comparison h2")).to_have_text(title)
    told = page.get_by_text("does not show what a treatment causes")
    expect(told).to_have_count(int(chosen))


@pytest.mark.parametrize("made", STUDIES.values())
def test_a_plot_says_what_it_shows_and_has_it_as_a_table(
    visit: Visit, made: Callable[[], Study]
) -> None:
    study = made()
    card = cards.checked(study.target)
    study.serve(visit.page)
    page = visit.page
    page.goto(f"{studies.URL}model.html")

    for title, name, dots, rows in (
        ("Calibration", "Recorded against predicted ", 10, 10),
        ("Win probabilities", "How often the first of two rows did better", 8, 10),
        ("Learning curve", "RMSE against the number of training rows", 5, 5),
    ):
        part = section(page, title)
        plot = part.get_by_role("img", name=name)
        expect(plot.locator("circle")).to_have_count(dots)
        sentence = part.locator("p").first.inner_text()
        assert sentence in (plot.get_attribute("aria-label") or "")
        part.locator("summary").click()
        expect(part.locator("tbody tr")).to_have_count(rows)
    expect(page.get_by_text("predictions are too extreme").first).to_be_visible()
    expect(page.get_by_text(card["learning_curve"]["says"]).first).to_be_visible()


def test_dots_lie_where_their_numbers_are(visit: Visit) -> None:
    study = studies.drugs()
    bins = cards.checked(study.target)["verdict"]["calibration"]["bins"]
    study.serve(visit.page)
    visit.page.goto(f"{studies.URL}model.html")

    plot = visit.page.get_by_role("img", name="Recorded against predicted")
    expect(plot).to_be_visible()
    dots = plot.locator("circle").evaluate_all(
        "all => all.map(one => [one.cx.baseVal.value, one.cy.baseVal.value])"
    )
    start, end = plot.locator(".diagonal").evaluate(
        "line => line.getAttribute('d').slice(1).split('L').map(one => one.split(',').map(Number))"
    )
    # The diagonal runs from corner to corner, from one end of both axes to the other.
    texts = plot.locator("text").all_text_contents()[:-2]
    low, high = (wanted(float(one.replace(MINUS, "-")) for one in texts) for wanted in (min, max))
    for (x, y), one in zip(dots, bins, strict=True):
        across = (one["predicted"] - low) / (high - low)
        up = (one["recorded"]["value"] - low) / (high - low)
        assert x == pytest.approx(start[0] + across * (end[0] - start[0]), abs=0.1)
        assert y == pytest.approx(start[1] + up * (end[1] - start[1]), abs=0.1)


def test_the_model_page_tells_what_this_release_finds_out(visit: Visit) -> None:
    study = studies.drugs()
    study.serve(visit.page)
    main = visit.page.locator("main")
    visit.page.goto(f"{studies.URL}model.html")

    for words in (
        "Ridge regression",
        "1.500 (1.400 to 1.600)",
        "Model, with side effect not known yet",
        "0.600 (0.400 to 0.800): predictions too high",
        "84% (78% to 90%)",
        "hold for all groups jointly, with 95% confidence",
        "Prediction intervals by sex: ±1.500 for 1 (80 errors); for all others ±2.000 points",
        "family gradient boosting, learning rate 0.1, depth none",
    ):
        expect(main).to_contain_text(words)


def test_what_was_checked_is_told_as_it_came_out(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.drugs()
    card = cards.checked(study.target)
    calibration, wins = card["verdict"]["calibration"], card["verdict"]["wins"]
    monkeypatch.setattr(cards, "checked", lambda _: card)
    study.serve(visit.page)

    def told() -> str:
        visit.page.goto(f"{studies.URL}model.html")
        expect(visit.page.locator("section").last).to_be_visible()
        return visit.page.locator("main").inner_text()

    def estimate(low: float, high: float) -> dict[str, float]:
        return {"value": (low + high) / 2, "low": low, "high": high}

    for low, high, words in (
        (1.1, 1.4, "predictions are too close together"),
        (0.8, 1.2, "no deviation beyond chance"),
        (-0.2, 0.6, "predictions do not rank patients"),
        (-0.2, 1.6, "too few rows to tell"),
        (0.0, 0.0, "All predictions are identical."),
    ):
        calibration["slope"] = estimate(low, high)
        assert words in told()
    calibration["in_the_large"] = estimate(0.1, 0.3)
    wins["holds"] = False
    said = told()
    assert "0.200 points higher than predicted (0.100 to 0.300), more than chance explains" in said
    assert "do not rely on win probabilities when you compare treatments" in said
    for one in wins["bins"]:
        one["won"] = None
    assert "200 held-out rows are too few to check win probabilities" in told()


def test_the_card_of_an_earlier_release_is_shown_as_far_as_it_goes(window: Visit) -> None:
    study = studies.drugs()
    study.checked = False
    study.serve(window.page)
    window.page.goto(f"{studies.URL}model.html")

    expect(window.page.locator("section")).to_have_count(7)
    expect(window.page.get_by_role("img")).to_have_count(0)
    expect(window.page.locator("main")).not_to_contain_text("Coverage")
    expect(window.page.locator("main")).not_to_contain_text("undefined")
    window.assert_accessible()
    assert window.complaints == []


def test_the_model_page_tells_what_became_of_the_model(visit: Visit) -> None:
    study = studies.drugs()
    study.monitoring = monitored.a_life()
    study.serve(visit.page)
    visit.page.goto(f"{studies.URL}model.html")

    since = section(visit.page, "Monitoring")
    for words in (
        "In service since 27 September 2026, with 2,380 requests captured so far.",
        "covers the 28 days up to 25 November 2026",
        "5 outcomes wait for their predictions to be captured. 2 outcomes have IDs that match no",
        "(p = 0.0003)",
        "differ from all others by Age",
        "12 lines of the log were not readable.",
    ):
        expect(since).to_contain_text(words)
    expect(since.locator(".warning")).to_have_text([monitored.MOVED, monitored.WORSE])
    for name, at_last in (
        ("Requests", "1,050."),
        ("Probability of this much change by chance", "<\u00a00.0001. 4 days with an alarm."),
        (
            "RMSE on recorded outcomes",
            "1.284 (1.164 to 1.404), average baseline (dashed) 1.520. 2 days with an alarm.",
        ),
        ("Outcomes within their interval", "83% (72% to 95%)."),
    ):
        sentence = f"{name}, 27 September 2026 to 25 November 2026; latest value {at_last}"
        expect(since.get_by_role("img", name=sentence, exact=True)).to_be_visible()
    moved = since.get_by_role("region", name="Column").locator("tbody tr")
    expect(moved.nth(1)).to_have_text(
        "DrugSertraline: 7.0% → 13%<\u00a00.00010.13,\u00a0moderate1,412"
    )
    expect(moved.nth(2)).to_have_text("Side effecttoo few rows12")
    expect(moved.nth(3)).to_contain_text("Improvement score, with side effect not known")
    expect(moved.locator("strong")).to_have_count(1)
    since.get_by_text("Charts as a table").click()
    expect(since.get_by_role("region", name="Up to").locator("tbody tr")).to_have_count(58)
    since.get_by_text("Errors by group").click()
    expect(since.get_by_text("0.520 (0.220 to 0.820): predictions too high")).to_be_visible()
    assert visit.complaints == []


def test_the_model_page_tells_what_the_model_would_have_said(visit: Visit) -> None:
    studies.drugs().serve(visit.page)
    visit.page.goto(f"{studies.URL}model.html")
    its = "v-4e5f6a7b\N{RIGHT SINGLE QUOTATION MARK}s"

    replay = section(visit.page, "Replay of past requests")
    expect(replay.locator("p").first).to_have_text(
        "The last 9,812 captured requests (27 October 2026 to 25 November 2026) were replayed "
        "against this version and v-4e5f6a7b:"
    )
    expect(replay.locator("li")).to_have_text(
        [
            "v-4e5f6a7b reproduced its 9,310 captured predictions as served.",
            (
                f"7.3% of the scores change by more than the half-width of {its} interval "
                "(median: ±0.900 points)."
            ),
            replays.LEFT_OUT,
            "This version would refuse 12 requests that v-4e5f6a7b answers.",
        ]
    )
    for sentence in (
        (
            "Change in improvement score, this version minus v-4e5f6a7b: 5% of requests change by "
            "-0.600 or less, the middle half by -0.200 to 0.300, and 5% by 1.100 or more; the "
            f"median half-width of {its} intervals is 0.900."
        ),
        (
            "Mean change in improvement score by group: sex: 1 0.110 (0.070 to 0.150); sex: 2 "
            "-0.060 (-0.190 to 0.070)."
        ),
    ):
        name = signed(sentence)
        expect(replay.get_by_role("img", name=name, exact=True)).to_be_visible()
    for summary in replay.locator("summary").all():
        summary.click()
    changes = ["5%-0.600", "25%-0.200", "50%0.020", "75%0.300", "95%1.100"]
    expect(replay.get_by_role("region", name="Changes in scores").locator("tbody tr")).to_have_text(
        [signed(one) for one in changes]
    )
    groups = replay.get_by_role("region", name="Replayed requests by group").locator("tbody tr")
    expect(groups).to_have_text(
        [
            "sex: 19,0000.110 (0.070 to 0.150)8.0%4",
            signed("sex: 2804-0.060 (-0.190 to 0.070)0.4%8"),
            "sex: 38too few requests0",
        ]
    )
    errors = replay.get_by_role("region", name="Errors on replayed requests").locator("tbody tr")
    expect(errors).to_have_count(2)
    expect(replay).to_contain_text("On 140 outcomes that neither version was trained on")
    assert visit.complaints == []


def signed(text: str) -> str:
    """Write a text's minus signs as a page does."""
    return re.sub(r"(?<!v)-(?=\d)", MINUS, text)


def test_a_change_is_drawn_to_scale_beside_the_half_width(visit: Visit) -> None:
    studies.drugs().serve(visit.page)
    visit.page.goto(f"{studies.URL}model.html")

    chart = visit.page.get_by_role("img", name=re.compile("^Change in"))
    expect(chart).to_be_visible()
    lines, ticks = chart.evaluate(
        r"""chart => [
             [...chart.querySelectorAll(".line")].map(one => one.getAttribute("d")),
             [...chart.querySelectorAll("text[text-anchor=middle]")].slice(0, -1).map(
               one => [Number(one.textContent.replace("\u2212", "-")), one.x.baseVal[0].value]),
           ]"""
    )
    (low, at_low), (high, at_high) = ticks[0], ticks[-1]

    def value(place: str) -> float:
        share = (float(place.split(",", maxsplit=1)[0]) - at_low) / (at_high - at_low)
        return float(low + share * (high - low))

    ends = [[value(place) for place in line.strip("MZ").split("L")] for line in lines]
    assert ends[0] == pytest.approx([-0.6, 1.1], abs=0.01)
    assert ends[1] == pytest.approx([-0.2, 0.3, 0.3, -0.2], abs=0.01)
    assert ends[2] == pytest.approx([-0.9, 0.9], abs=0.01)


@pytest.mark.parametrize(
    ("replay", "champion", "words"),
    [
        (None, None, "because there was no champion when"),
        (None, {"version": "v-4e5f6a7b"}, "No requests were replayed when"),
        (Replayed(champion="v-4e5f6a7b", void="No request was captured."), None, "No request was"),
        (Replayed(champion="v-4e5f6a7b", refused=2), None, "There is no recent captured request"),
        (Replayed(champion="v-4e5f6a7b", requests=1, outcomes=1), None, "1 outcome: too few"),
    ],
    ids=["no champion", "an earlier release", "void", "all refused", "hardly anything"],
)
def test_where_little_was_replayed_the_model_page_says_why(
    visit: Visit,
    monkeypatch: pytest.MonkeyPatch,
    replay: Replayed | None,
    champion: dict[str, str] | None,
    words: str,
) -> None:
    study = studies.drugs()
    card = cards.checked(study.target)
    card["verdict"] |= {"replay": cards.dumped(replay), "champion": champion}
    monkeypatch.setattr(cards, "checked", lambda _: card | {"replayed": []})
    study.serve(visit.page)
    visit.page.goto(f"{studies.URL}model.html")

    shown = section(visit.page, "Replay of past requests")
    expect(shown).to_contain_text(words)
    expect(shown.get_by_role("img")).to_have_count(0)
    fetched = [one.url for one in visit.requests if one.url.endswith("/replay.js")]
    assert len(fetched) == int(replay is not None)
    for never in ("undefined", "null", "NaN"):
        assert never not in shown.inner_text()
    assert visit.complaints == []


def test_the_model_page_counts_the_outcomes_that_a_model_was_trained_on(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.drugs()
    card = cards.checked(study.target)
    card["data"] |= {"outcomes": 61}
    monkeypatch.setattr(cards, "checked", lambda _: card)
    study.serve(visit.page)

    visit.page.goto(f"{studies.URL}model.html")

    told = "61 of these rows are predictions of earlier versions with outcomes recorded after"
    expect(visit.page.get_by_text(told)).to_be_visible()


def test_points_lie_on_their_days_and_the_last_day_is_named(visit: Visit) -> None:
    study = studies.drugs()
    study.monitoring = monitored.a_life()
    study.serve(visit.page)
    visit.page.goto(f"{studies.URL}model.html")

    chart = visit.page.get_by_role("img", name=re.compile("^Requests"))
    expect(chart).to_be_visible()
    (path,) = chart.locator(".line").evaluate_all("all => all.map(one => one.getAttribute('d'))")
    places = [float(point.split(",")[0]) for point in path.removeprefix("M").split("L")]
    assert len(places) == 58
    a_day = (places[-1] - places[0]) / 59
    gaps = [round((after - one) / a_day) for one, after in itertools.pairwise(places)]
    assert gaps == [1] * 29 + [3] + [1] * 27  # two days had no run
    dates = [one for one in chart.locator("text").all_text_contents() if " " in one]
    assert dates == ["25 Nov", "11 Nov", "28 Oct", "14 Oct", "30 Sept"]


@pytest.mark.parametrize(
    ("life", "words"),
    [
        (None, "The monitor has not run since this model was promoted. It runs once a day"),
        (monitored.a_life(1).model_copy(update={"last": monitored.nothing()}), monitored.TOO_FEW),
    ],
    ids=["before the first run", "after the first run"],
)
def test_a_model_that_just_began_to_serve_says_what_is_not_known_yet(
    visit: Visit, life: Monitoring | None, words: str
) -> None:
    study = studies.drugs()
    study.monitoring = life
    study.serve(visit.page)
    visit.page.goto(f"{studies.URL}model.html")

    since = section(visit.page, "Monitoring")
    expect(since).to_contain_text(words)
    expect(since.locator(".warning")).to_have_count(0)
    expect(since.get_by_role("img")).to_have_count(int(life is not None))
    assert "undefined" not in since.inner_text()
    assert visit.complaints == []


@pytest.mark.parametrize("made", [studies.drugs, studies.diabetes])
def test_an_outcome_is_recorded_with_the_id_filled_in(
    visit: Visit, made: Callable[[], Study]
) -> None:
    study = made()
    page = predicted(visit, study)
    low, high = study.target["range"]

    page.get_by_role("button", name="Record the outcome").click()
    expect(page.get_by_label("Prediction ID")).to_have_value(studies.PREDICTION)
    value = page.locator("#outcome").get_by_label(study.target["label"])
    expect(value).to_be_focused()
    page.get_by_role("button", name="Copy ID").click()
    expect(page.get_by_role("status").last).to_have_text("Copied.")
    value.fill(str(high + 1))
    page.get_by_role("button", name="Record", exact=True).click()
    wrong = f"{study.target['label']} must be from {low} to {high}."
    expect(page.locator("#outcome .fault").first).to_have_text(wrong)
    expect(value).to_be_focused()
    value.fill(str(low))
    page.get_by_label("Date observed").fill("2026-11-24")
    page.get_by_role("button", name="Record", exact=True).click()

    expect(page.get_by_role("status").last).to_contain_text("after the daily run")
    (told,) = [sent for path, sent in study.asked if path == "v1/outcomes"]
    observed = {study.target["name"]: low, "observed_at": "2026-11-24"}
    assert told == {"outcomes": [{"prediction_id": studies.PREDICTION, **observed}]}
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#outcome")).to_have_count(0)
    assert visit.complaints == []


def test_the_keyboard_alone_records_an_outcome_today_and_closes_the_form(visit: Visit) -> None:
    study = studies.drugs()
    study.came = {
        "status": "replaced",
        "message": "The outcome observed on 2026-11-20 no longer counts.",
    }
    page = predicted(visit, study)

    page.get_by_role("button", name="Record the outcome").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#outcome-value")).to_be_focused()
    page.keyboard.type("6.5")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").last).to_have_text(str(study.came["message"]))
    today = page.evaluate("new Date().toLocaleDateString('sv')")
    assert study.asked[-1][1]["outcomes"][0]["observed_at"] == today
    record = page.get_by_role("button", name="Record the outcome")
    expect(record).to_have_attribute("aria-expanded", "true")
    record.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_have_count(0)
    expect(record).to_have_attribute("aria-expanded", "false")


def test_what_is_wrong_with_an_outcome_is_said_at_its_field(visit: Visit) -> None:
    study = studies.drugs()
    where = ["body", "outcomes", 0, "observed_at"]
    wrong = {"loc": where, "msg": "Input should not be in the future", "type": "out_of_range"}
    study.came = {"status": 422, "detail": "Refused.", "errors": [wrong]}
    page = predicted(visit, study)
    page.get_by_role("button", name="Record the outcome").click()
    page.locator("#outcome-value").fill("6")

    page.get_by_role("button", name="Record", exact=True).click()

    expect(page.locator("#outcome .fault").last).to_have_text(
        "Date observed should not be in the future."
    )
    expect(page.get_by_label("Date observed")).to_be_focused()


def test_an_outcome_that_cannot_be_kept_says_why_and_not_that_no_model_serves(visit: Visit) -> None:
    page = predicted(visit, studies.drugs())
    visit.answer("**/outcomes", 503, '{"detail": "S3 does not answer as it should."}')
    page.get_by_role("button", name="Record the outcome").click()
    page.locator("#outcome-value").fill("6")

    page.get_by_role("button", name="Record", exact=True).click()

    expect(page.get_by_role("status").last).to_have_text("S3 does not answer as it should.")


def test_a_prediction_without_an_id_offers_to_record_nothing(visit: Visit) -> None:
    study = studies.drugs()
    study.answer = {"prediction_id": None}

    page = predicted(visit, study)

    expect(page.get_by_role("button", name="Record the outcome")).to_be_hidden()


def test_an_estimated_explanation_tells_its_error_and_folds_what_is_small(visit: Visit) -> None:
    page = predicted(visit, studies.trial())

    page.get_by_role("button", name="Explain").click()

    expect(page.locator("#explanation")).to_contain_text("estimated from random orders")
    expect(page.locator("#explanation li > :last-child").first).to_have_text(
        re.compile(rf"^[{MINUS}+]\d+ ± \d+$")
    )
    expect(page.locator("#explanation > ul > li")).to_have_count(10)
    expect(page.locator("#explanation summary")).to_have_text(
        re.compile("6 other features, together")
    )


def test_an_exact_explanation_says_so(visit: Visit) -> None:
    page = predicted(visit, studies.diabetes())

    page.get_by_role("button", name="Explain").click()

    expect(page.locator("#explanation")).to_contain_text("Exact Shapley values")


def test_a_studys_words_are_words(visit: Visit) -> None:
    study = studies.diabetes()
    study.question = "<img src=x> & how far?"
    study.fields[0] |= {"label": "<b>Age</b>", "hint": "<i>Years</i>"}

    page = opened(visit, study)

    expect(page.locator("h1")).to_have_text("<img src=x> & how far?")
    expect(page.locator("label").first).to_have_text("<b>Age</b> (years)")
    expect(page.locator("h1 img, form b, form i")).to_have_count(0)
