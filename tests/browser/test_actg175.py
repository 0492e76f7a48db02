"""A trial that is shipped, from `make up STUDY=actg175` to the pages that its researchers use."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.form import fill
from tests.integration.conftest import Laptop


@pytest.fixture(scope="module")
def trial(laptop: Laptop) -> Laptop:
    """The trial's stack, beside the drug study's on one cloud."""
    beside = laptop.with_study("actg175")
    done = beside.run("up")
    assert done.returncode == 0, done.stdout
    assert "It beats the average baseline" in done.stdout
    return beside


@pytest.fixture(scope="module")
def volunteer(trial: Laptop) -> dict[str, Any]:
    """A patient of the trial, as a request has one."""
    fields = trial.get("/dropdown-values").body["fields"]
    return {one["name"]: one["example"] for one in fields if "target" not in one["roles"]}


def predicted(visit: Visit, trial: Laptop, volunteer: dict[str, Any]) -> Page:
    visit.page.goto(trial.stack.outputs.site_url)
    expect(visit.page.locator("#form")).to_be_visible()
    fill(visit.page, volunteer)
    visit.page.get_by_role("button", name="Predict").click()
    expect(visit.page.locator("#result")).to_be_visible()
    return visit.page


def test_the_trials_model_is_worth_what_its_readme_says(trial: Laptop) -> None:
    verdict = trial.get("/model").body["verdict"]

    assert verdict["beats_average"]
    assert verdict["candidate"]["r2"]["low"] > 0.2
    assert verdict["parity"]["holds"]
    assert abs(verdict["coverage"]["measured"] - 0.9) <= verdict["coverage"]["tolerance"]


def test_both_studies_answer_on_one_cloud(
    trial: Laptop, laptop: Laptop, volunteer: dict[str, Any], patient: dict[str, object]
) -> None:
    answer = trial.post("/predict?explain=true", volunteer)

    assert answer.status == 200, answer.text
    assert 0 <= answer.body["cd420"] <= 1200
    assert answer.body["explained_by"] == "permutations"
    added = answer.body["base_value"] + sum(answer.body["contributions"].values())
    assert added == pytest.approx(answer.body["cd420"], abs=0.51)
    assert laptop.post("/predict", patient).status == 200
    assert trial.post("/predict", patient).status == 422
    assert "cd420" in trial.get("/openapi.json").text
    assert "Improvement_Score" not in trial.get("/openapi.json").text


def test_a_volunteer_is_predicted_explained_and_compared_by_mouse(
    visit: Visit, trial: Laptop, volunteer: dict[str, Any]
) -> None:
    answer = trial.post("/predict", volunteer).body

    page = predicted(visit, trial, volunteer)

    expect(page.locator("#score")).to_have_text(f"{answer['cd420']:.0f}")
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("treatment work")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#explanation li").first).to_be_visible()
    expect(page.locator("#explanation")).to_contain_text("estimate", ignore_case=True)
    page.get_by_role("button", name="Compare").click()
    fields = trial.get("/dropdown-values").body["fields"]
    (arms,) = [one["values"] for one in fields if "treatment" in one["roles"]]
    rows = page.locator("#comparison li")
    expect(rows).to_have_count(len(arms))
    told = " ".join(rows.all_inner_texts())
    assert [arm for arm in arms if arm not in told] == []
    visit.assert_accessible()
    assert visit.complaints == []
    visit.keep("actg175")


def test_the_trials_model_page_speaks_of_its_own_unit(visit: Visit, trial: Laptop) -> None:
    visit.page.goto(trial.stack.outputs.site_url.replace("index.html", "model.html"))

    expect(visit.page.locator("main")).to_contain_text("RMSE, cells/mm³")
    expect(visit.page.locator("main")).not_to_contain_text("RMSE, points")
    visit.assert_accessible()
    assert visit.complaints == []
