"""What a researcher does on the site, in a real browser."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import DESK, Visit, Windows
from tests.browser.form import fault, field, fill
from tests.integration.conftest import Laptop

MOST_BYTES = 20_000  # of the predict page
# Of which 13,000 draw its monitoring, once the monitor has run, and 9,000 its replay.
MOST_BYTES_OF_THE_MODEL_PAGE = 54_000
MINUS = "\N{MINUS SIGN}"
WORTHLESS = "does not beat a baseline that always predicts the average"


def opened(visit: Visit, site: str) -> Page:
    visit.page.goto(f"{site}index.html")
    expect(visit.page.locator("#form")).to_be_visible()
    return visit.page


def predicted(visit: Visit, site: str, patient: dict[str, Any]) -> Page:
    page = opened(visit, site)
    fill(page, patient)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#result")).to_be_visible()
    return page


def test_a_prediction_shows_what_the_api_answers(
    visit: Visit, site: str, laptop: Laptop, patient: dict[str, Any]
) -> None:
    answer = laptop.post("/predict", patient).body

    page = predicted(visit, site, patient)

    expect(page.locator("#score")).to_have_text(f"{answer['Improvement_Score']:.2f}")
    expect(page.locator("#band")).to_contain_text("Moderate", ignore_case=True)
    low, high = answer["interval"]["low"], answer["interval"]["high"]
    expect(page.locator("#interval")).to_contain_text(f"{low:.2f} to {high:.2f}")
    expect(page.locator("#interval")).to_contain_text(f"{answer['support']} patients")
    expect(page.locator("#model-version")).to_have_text(answer["model_version"])
    expect(page.locator("#warning")).to_be_hidden()
    assert visit.complaints == []


def test_the_gauge_is_drawn_to_scale(visit: Visit, site: str, patient: dict[str, Any]) -> None:
    page = predicted(visit, site, patient)
    expect(page.locator("#gauge")).to_have_attribute("style", re.compile("--to"))  # a frame later

    drawn = page.locator("#gauge").evaluate(
        """async gauge => {
             await Promise.all(gauge.getAnimations({ subtree: true }).map(one => one.finished));
             const style = getComputedStyle(gauge, "::before"), all = gauge.clientWidth;
             const [left, right] = [style.left, style.right].map(parseFloat);
             return [left / all * 10, (all - right) / all * 10];
           }"""
    )

    words = page.locator("#interval").inner_text()
    low, high = map(float, re.findall(r"\d+\.\d\d", words)[:2])
    assert drawn == pytest.approx([low, high], abs=0.05)


def test_the_form_offers_only_what_was_recorded_together(
    visit: Visit, site: str, laptop: Laptop
) -> None:
    recorded = laptop.get("/dropdown-values").body["valid_combinations"]
    page = opened(visit, site)

    expect(field(page, "Drug_Name")).to_be_disabled()
    expect(field(page, "Drug_Name")).to_have_accessible_description("Choose the condition first.")
    field(page, "Condition").select_option("Infection")

    options = field(page, "Drug_Name").locator("option")
    offered = options.evaluate_all("all => all.map(one => one.value)")
    drugs = {one["Drug_Name"] for one in recorded if one["Condition"] == "Infection"}
    assert set(filter(None, offered)) == drugs
    field(page, "Drug_Name").select_option("Ciprofloxacin")
    field(page, "Condition").select_option("Depression")
    expect(field(page, "Drug_Name")).to_have_value("")  # it was not recorded with that
    expect(field(page, "Dosage_mg")).to_be_disabled()


def test_wrong_input_is_said_at_its_field_before_anything_is_sent(
    visit: Visit, site: str, patient: dict[str, Any]
) -> None:
    page = opened(visit, site)
    fill(page, patient | {"Age": 17})
    field(page, "Treatment_Duration_days").fill("")
    asked = len(visit.requests)

    page.get_by_role("button", name="Predict").click()

    expect(fault(page, "Age")).to_have_text("Age must be from 18 to 79.")
    expect(fault(page, "Treatment_Duration_days")).to_have_text("Treatment duration is missing.")
    expect(field(page, "Age")).to_be_focused()
    expect(field(page, "Age")).to_have_attribute("aria-invalid", "true")
    assert len(visit.requests) == asked
    visit.assert_accessible()
    field(page, "Age").fill("56")
    expect(fault(page, "Age")).to_be_empty()


def test_the_server_has_the_last_word_and_its_words_are_at_the_fields(
    visit: Visit, site: str, patient: dict[str, Any]
) -> None:
    page = opened(visit, site)
    field(page, "Age").evaluate("age => age.removeAttribute('max')")
    fill(page, patient | {"Age": 130})

    page.get_by_role("button", name="Predict").click()

    expect(fault(page, "Age")).to_contain_text("Age should be less than or equal to 79")
    expect(page.locator("#result")).to_be_hidden()


def test_a_combination_that_was_never_recorded_is_refused_in_a_sentence(
    visit: Visit, site: str, patient: dict[str, Any]
) -> None:
    page = opened(visit, site)
    fill(page, patient)
    field(page, "Side_Effects").evaluate(
        "field => { field.add(new Option('Cough')); field.value = 'Cough'; }"
    )

    page.get_by_role("button", name="Predict").click()

    expect(page.locator("#message")).to_contain_text("never recorded together")


def test_an_explanation_adds_up_to_the_score(
    visit: Visit, site: str, patient: dict[str, Any]
) -> None:
    page = predicted(visit, site, patient)

    page.get_by_role("button", name="Explain this prediction").click()
    expect(page.locator("#explanation li")).to_have_count(7)

    base = float(re.findall(r"\d+\.\d\d", page.locator("#explanation p").first.inner_text())[0])
    texts = page.locator("#explanation li > :last-child").all_inner_texts()
    added = [float(text.replace(MINUS, "-")) for text in texts]
    assert base + sum(added) == pytest.approx(
        float(page.locator("#score").inner_text()), abs=0.005 * 9
    )
    assert sorted(added, key=abs, reverse=True) == added


def test_a_patient_is_predicted_before_the_treatment(
    visit: Visit, site: str, laptop: Laptop, patient: dict[str, Any]
) -> None:
    before = {name: one for name, one in patient.items() if name != "Side_Effects"}
    answer = laptop.post("/predict", before).body

    page = predicted(visit, site, before)

    expect(page.locator("#score")).to_have_text(f"{answer['Improvement_Score']:.2f}")
    expect(page.locator("#averaged")).to_contain_text("Averaged over side effect")
    expect(page.locator("#interval")).to_contain_text(
        f"{answer['support']} patients with the same condition, drug and dosage."
    )
    page.get_by_role("button", name="Explain this prediction").click()
    expect(page.locator("#explanation li")).to_have_count(7)
    assert visit.complaints == []


def test_an_outcome_is_recorded_by_the_id_of_its_prediction(
    visit: Visit, site: str, laptop: Laptop, patient: dict[str, Any]
) -> None:
    page = predicted(visit, site, patient)

    page.get_by_role("button", name="Record the outcome").click()
    identifier = page.get_by_label("Prediction ID").input_value()
    page.locator("#outcome-value").fill("6.5")
    page.get_by_role("button", name="Record", exact=True).click()

    expect(page.get_by_role("status").last).to_contain_text("after the daily run")
    again = {"prediction_id": identifier, "Improvement_Score": 6.4, "observed_at": "2100-01-01"}
    (refused,) = laptop.post("/outcomes", {"outcomes": [again]}).body["outcomes"]
    assert refused["errors"][0]["loc"] == ["body", "outcomes", 0, "observed_at"]
    assert visit.complaints == []


def test_treatments_are_compared_in_one_request_and_none_is_recommended(
    visit: Visit, site: str, laptop: Laptop, patient: dict[str, Any]
) -> None:
    own = {name: patient[name] for name in ("Drug_Name", "Dosage_mg")}
    untreated = {name: one for name, one in patient.items() if name not in {*own, "Side_Effects"}}
    answer = laptop.post("/compare", {"patient": untreated, "reference": own}).body
    page = predicted(visit, site, patient)
    before = len(visit.requests)

    page.get_by_role("button", name="Compare treatments").click()
    rows = page.locator("#comparison li")
    expect(rows).to_have_count(len(answer["treatments"]))

    asked = [one for one in visit.requests[before:] if one.method == "POST"]
    assert [urlsplit(one.url).path.rsplit("/v1", 1)[-1] for one in asked] == ["/compare"]
    for row, one in zip(rows.all_inner_texts(), answer["treatments"], strict=True):
        treatment, interval, won = one["treatment"], one["interval"], one["win_probability"]
        assert f"{treatment['Drug_Name']} {treatment['Dosage_mg']} mg" in row
        low, high = interval["low"], interval["high"]
        assert f"{one['Improvement_Score']:.2f} ({low:.2f} to {high:.2f})" in row
        if treatment == own:
            assert "the others are compared with it" in row
        elif abs(won - 0.5) < 0.045:
            assert "About even with" in row
        elif abs(won - 0.5) > 0.056:
            assert re.search(r"does better in (about \d+|more than 99|fewer than 1) of 100", row)
    expect(page.locator("#comparison li.own")).to_have_count(1)
    expect(page.locator("#comparison")).to_contain_text("this is not a recommendation")
    expect(page.locator("#comparison")).to_contain_text("does not show what a treatment causes")
    expect(page.locator("#comparison")).to_contain_text("Averaged over side effect")


def test_a_model_that_does_not_beat_the_average_says_so_unmissably(
    visit: Visit, site: str, patient: dict[str, Any]
) -> None:
    def worthless(body: str) -> str:
        answer = json.loads(body)
        answer["skill"] = {"r2": -0.03, "beats_average": False}
        return json.dumps(answer)

    for route in ("**/predict", "**/compare"):
        visit.page.route(
            route,
            lambda route: route.fulfill(
                response=(fetched := route.fetch()), body=worthless(fetched.text())
            ),
        )
    page = predicted(visit, site, patient)
    page.get_by_role("button", name="Compare treatments").click()

    expect(page.locator("#warning")).to_contain_text(WORTHLESS)
    expect(page.locator("#warning")).to_be_visible()
    expect(page.locator("#comparison .warning")).to_contain_text(WORTHLESS)
    visit.assert_accessible()
    visit.keep("site-warning")


def test_the_model_page_shows_the_card(visit: Visit, site: str, laptop: Laptop) -> None:
    card = laptop.get("/model").body
    page = visit.page
    page.goto(f"{site}model.html")

    expect(page.locator("#serves")).to_contain_text(card["model_version"])
    for reason in card["verdict"]["reasons"]:
        expect(page.get_by_text(reason).first).to_be_visible()
    rows = page.get_by_role("region", name="Group").locator("tbody tr")
    expect(rows).to_have_count(len(card["subgroups"]))
    ledger = page.get_by_role("region", name="Promotion").locator("tbody tr")
    expect(ledger).to_have_count(len(card["ledger"]))
    assert visit.complaints == []


def test_everything_passes_axe_and_is_kept_as_a_picture(
    windows: Windows, site: str, patient: dict[str, Any], scheme: Any
) -> None:
    with windows.visit(color_scheme=scheme, reduced_motion="reduce") as visit:
        opened(visit, site)
        visit.assert_accessible()
        page = predicted(visit, site, patient)
        page.get_by_role("button", name="Explain this prediction").click()
        expect(page.locator("#explanation li").first).to_be_visible()
        page.get_by_role("button", name="Compare treatments").click()
        expect(page.locator("#comparison li").first).to_be_visible()
        visit.assert_accessible()
        visit.keep(f"site-{scheme}")
        page.goto(f"{site}model.html")
        expect(page.locator("#card section").last).to_be_visible()
        visit.assert_accessible()
        visit.keep(f"model-{scheme}")


def test_dark_is_dark_and_light_is_light(windows: Windows, site: str) -> None:
    def brightness(scheme: Any) -> int:
        with windows.visit(color_scheme=scheme, reduced_motion="reduce") as visit:
            page = opened(visit, site)
            colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert brightness("dark") < 150
    assert brightness("light") > 600


def test_nothing_moves_where_motion_is_reduced(windows: Windows, site: str) -> None:
    def transition(motion: Any) -> str:
        with windows.visit(color_scheme="light", reduced_motion=motion) as visit:
            page = opened(visit, site)
            seconds: str = page.evaluate(
                "getComputedStyle(document.getElementById('gauge'), '::after').transitionDuration"
            )
            return seconds

    assert transition("reduce") == "0s"
    assert transition("no-preference") != "0s"


def test_a_phone_scrolls_down_and_never_sideways(
    chromium: Browser, site: str, patient: dict[str, Any]
) -> None:
    with chromium.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    ) as context:
        visit = Visit(context.new_page())
        page = predicted(visit, site, patient)
        page.get_by_role("button", name="Explain this prediction").click()
        page.get_by_role("button", name="Compare treatments").click()
        expect(page.locator("#comparison li").first).to_be_visible()

        assert page.evaluate("document.documentElement.scrollWidth") == 360
        rows = page.locator(".rows li").evaluate_all("all => all.map(one => one.clientHeight)")
        assert len(rows) > 7
        assert max(rows) < 190  # a few lines of words, the drawing, and a sentence
        visit.keep("site-phone")
        page.goto(f"{site}model.html")
        expect(page.locator("#card section").last).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_keyboard_alone_is_enough(
    visit: Visit, site: str, laptop: Laptop, patient: dict[str, Any]
) -> None:
    page = opened(visit, site)

    names = page.locator("form [data-name]").evaluate_all("all => all.map(one => one.dataset.name)")
    page.get_by_role("link", name="How good is this model?").focus()
    page.keyboard.press("Tab")
    for name in names:
        expect(field(page, name)).to_be_focused()
        page.keyboard.type(str(patient[name]))  # over what a field had, which Tab selects
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Predict")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_be_visible()
    for name, place in (
        ("Explain this prediction", "explanation"),
        ("Compare treatments", "comparison"),
    ):
        page.get_by_role("button", name=name).focus()
        page.keyboard.press("Enter")
        expect(page.locator(f"#{place}")).to_be_focused()

    answer = laptop.post("/predict", patient).body
    expect(page.locator("#score")).to_have_text(f"{answer['Improvement_Score']:.2f}")


def test_a_network_that_fails_once_is_asked_again(
    visit: Visit, site: str, patient: dict[str, Any]
) -> None:
    visit.fail_once("**/dropdown-values")
    visit.fail_once("**/predict")

    page = predicted(visit, site, patient)

    expect(page.locator("#score")).to_have_text(re.compile(r"\d\.\d\d"))


def test_a_network_that_is_down_is_said_and_can_be_tried_again(visit: Visit, site: str) -> None:
    page = visit.page
    page.route("**/dropdown-values", lambda route: route.abort())
    page.goto(f"{site}index.html")

    expect(page.locator("#message")).to_contain_text("Cannot reach the service")
    expect(page.locator("#form")).to_be_hidden()
    visit.assert_accessible()
    visit.keep("site-down")
    page.unroute("**/dropdown-values")
    page.get_by_role("button", name="Try again").click()

    expect(page.locator("#form")).to_be_visible()
    expect(page.locator("#message")).to_be_empty()


def test_without_a_model_it_says_what_is_missing(visit: Visit, site: str) -> None:
    visit.answer("**/dropdown-values", 503, '{"detail": "no model is loaded"}')
    visit.answer("**/model", 503, '{"detail": "no model is loaded"}')

    visit.page.goto(f"{site}index.html")
    expect(visit.page.locator("#message")).to_contain_text("No model is available yet")
    visit.page.goto(f"{site}model.html")
    expect(visit.page.locator("#message")).to_contain_text("No model is available yet")


@pytest.fixture
def unknown(chromium: Browser) -> Iterator[Visit]:
    """A window that nobody has given a key."""
    with chromium.new_context(**DESK) as context:
        yield Visit(context.new_page())


def test_a_key_is_asked_for_once_where_the_api_wants_one(unknown: Visit, site: str) -> None:
    page = unknown.page
    page.on("dialog", lambda dialog: dialog.accept("the key"))
    sent: list[str | None] = []

    def guard(route: Any) -> None:
        sent.append(route.request.headers.get("x-api-key"))
        if sent[-1] == "the key":
            route.continue_()
        else:
            route.fulfill(status=403, body="{}", content_type="application/problem+json")

    page.route("**/dropdown-values", guard)

    opened(unknown, site)
    opened(unknown, site)

    assert sent == [None, "the key", "the key"]


def test_what_the_pages_weigh_and_ask_for(
    chromium: Browser, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = f"{urlsplit(site).scheme}://{urlsplit(site).netloc}/"

    def weight(page: str) -> int:
        with chromium.new_context() as context:
            visit = Visit(context.new_page())
            visit.page.goto(f"{site}{page}", wait_until="networkidle")
            asked = [one for one in visit.requests if not one.url.startswith("data:")]
            source = {"document", "stylesheet", "script"}
            bodies = [len(body_of(one)) for one in asked if one.resource_type in source]
        with capsys.disabled():
            names = ", ".join(urlsplit(one.url).path.rsplit("/", 1)[-1] for one in asked)
            sys.stdout.write(
                f"\n    {page}: {sum(bodies):,} bytes of HTML, CSS and JavaScript, "
                f"{len(asked)} requests ({names}) "
            )
        assert [one.url for one in asked if not one.url.startswith(own)] == []
        return sum(bodies)

    assert 10_000 < weight("index.html") <= MOST_BYTES
    assert 5_000 < weight("model.html") <= MOST_BYTES_OF_THE_MODEL_PAGE


def body_of(request: Request) -> bytes:
    response = request.response()
    assert response is not None
    return response.body()


def test_the_published_page_may_connect_to_its_api_and_to_nothing_else(
    visit: Visit, site: str
) -> None:
    page = opened(visit, site)

    refused = page.evaluate(
        """async () => {
             const heard = new Promise(resolve =>
               addEventListener("securitypolicyviolation", event => resolve(event.blockedURI)));
             await fetch("http://127.0.0.1:9/").catch(() => {});
             return heard;
           }"""
    )

    assert refused.startswith("http://127.0.0.1:9")
