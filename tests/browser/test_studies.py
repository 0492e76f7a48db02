"""The site of any study, in a real browser, with an API that is made up: it needs no cloud."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import studies
from tests.browser.conftest import Visit
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


@pytest.fixture(params=[(1200, 900), (360, 740)], ids=["desk", "phone"])
def window(request: pytest.FixtureRequest, chromium: Browser, scheme: Any) -> Iterator[Visit]:
    width, height = request.param
    with chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    ) as context:
        yield Visit(context.new_page())


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
    page = predicted(window, study)
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#explanation li").first).to_be_visible()
    if page.locator("#compare").is_visible():
        page.locator("#compare").click()
        expect(page.locator("#comparison li").first).to_be_visible()

    window.assert_accessible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    window.keep(re.sub(r"\W+", "-", request.node.name))
    page.goto(f"{studies.URL}model.html")
    expect(page.locator("section")).to_have_count(5)
    expect(page.get_by_text("too few rows").first).to_be_visible()
    window.assert_accessible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert window.complaints == []


def test_what_is_sent_is_as_the_contract_has_it(visit: Visit, study: Study) -> None:
    predicted(visit, study)

    path, sent = study.asked[-1]
    assert path == "v1/predict"
    nothing = {one["name"]: None for one in study.asked_fields}
    assert sent == nothing | study.patient


def test_the_drug_study_is_asked_for_as_ever(visit: Visit) -> None:
    page = opened(visit, studies.drugs())

    assert legends(page) == ["Patient", "Treatment"]
    assert labels(page, 0) == ["Patient ID", "Age (years)", "Gender"]
    assert labels(page, 1) == [
        "Condition",
        "Drug",
        "Dosage (mg)",
        "Side effect",
        "Treatment duration (days)",
    ]


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
        "Body mass index was not given; the model takes that into account."
    )
    expect(page.locator("form div:has(> [data-name='bmi']) .hint")).to_have_text(
        "From 18 to 42.2. May be left empty."
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


def test_free_treatments_are_all_compared(visit: Visit) -> None:
    study = studies.everything()
    page = predicted(visit, study)

    page.get_by_role("button", name="Compare treatments").click()
    expect(page.locator("#comparison li")).to_have_count(6)

    expect(page.locator("#comparison li.own")).to_contain_text("Аспирин 10 мг")
    _, sent = study.asked[-1]
    pairs = {(one["Препарат"], one["Доза"]) for one in sent["patients"]}
    assert pairs == {(drug, dose) for drug in ("Аспирин", "Плацебо") for dose in (5, 10, 20)}
    kept = [{**one, "Препарат": None, "Доза": None} for one in sent["patients"]]
    assert all(one == kept[0] for one in kept)


@pytest.mark.parametrize(
    ("made", "title", "told"),
    [
        (studies.drugs, "Recorded treatments of Infection, for this patient", "not assigned"),
        (studies.trial, "Recorded treatments, for this patient", "were assigned to treatments at"),
    ],
)
def test_recorded_treatments_are_compared_as_they_were_assigned(
    visit: Visit, made: Callable[[], Study], title: str, told: str
) -> None:
    page = predicted(visit, made())

    page.get_by_role("button", name="Compare treatments").click()

    expect(page.locator("#comparison h2")).to_have_text(title)
    expect(page.locator("#comparison")).to_contain_text(told)


def test_more_treatments_than_a_batch_holds_are_cut_and_that_is_told(visit: Visit) -> None:
    study = studies.everything()
    names = [f"{number}" for number in range(700)]
    for one in study.asked_fields:
        if one["name"] == "Препарат":
            one["values"] = ["Аспирин", *names]
    page = predicted(visit, study)

    page.get_by_role("button", name="Compare treatments").click()

    expect(page.locator("#comparison")).to_contain_text("of the first ")
    _, sent = study.asked[-1]
    assert 100 < len(sent["patients"]) <= 1000
    expect(page.locator("#comparison li.own")).to_have_count(1)


def test_an_estimated_explanation_tells_its_error_and_folds_what_is_small(visit: Visit) -> None:
    page = predicted(visit, studies.trial())

    page.get_by_role("button", name="Explain").click()

    expect(page.locator("#explanation")).to_contain_text("estimated from random orders")
    expect(page.locator("#explanation li > :last-child").first).to_have_text(
        re.compile(rf"^[{MINUS}+]\d+ ± \d+$")
    )
    expect(page.locator("#explanation > ul > li")).to_have_count(10)
    expect(page.locator("#explanation summary")).to_have_text(re.compile("6 others, together"))


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
