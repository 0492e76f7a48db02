"""What somebody does on the console's page Score: upload a file, watch, read, download."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from local import uploading
from local.machines import SCORE
from tests.browser.conftest import Visit
from tests.integration.conftest import Laptop

WRONG_ROWS = 3
# What a status says for a moment only may be over before a test looks for it.
KEEP_WHAT_IS_SAID = """() => {
  window.said = [];
  const keep = () => document.querySelectorAll("[role=status]").forEach(
    status => said.push(status.textContent));
  new MutationObserver(keep).observe(
    document.body, { childList: true, subtree: true, characterData: true });
}"""


@pytest.fixture
def score_page(laptop: Laptop) -> str:
    return f"http://localhost:{laptop.console_port}/score"


@pytest.fixture
def patients(sample: Path, tmp_path: Path) -> Path:
    """The sample without its outcomes, and with a few ages that nobody has."""
    header, *rows = (line.rsplit(",", 1)[0] for line in sample.read_text().splitlines())
    wrong = [re.sub(r",\d+,", ",999,", row, count=1) for row in rows[:WRONG_ROWS]]
    file = tmp_path / f"{uuid4()}.csv"  # else an earlier one's end would be taken for this one's
    file.write_text("\n".join([header, *wrong, *rows[WRONG_ROWS:], ""]))
    return file


def choose(page: Page, file: Path) -> None:
    page.locator("input[type=file]").set_input_files(file)


def ended(page: Page, name: str, how: str = "succeeded") -> None:
    expect(page.get_by_text(f"{name}: {how}", exact=True)).to_be_visible()


def test_a_file_is_scored_summed_up_and_downloaded(
    visit: Visit, score_page: str, patients: Path, tmp_path: Path
) -> None:
    page = visit.page
    page.goto(score_page)
    rows = len(patients.read_text().splitlines()) - 1

    choose(page, patients)

    expect(page.get_by_text(f"{patients.name} has been uploaded.", exact=True)).to_be_visible()
    ended(page, patients.name)
    told = f"{rows:,} rows: {rows - WRONG_ROWS:,} scored, {WRONG_ROWS} refused."
    expect(page.get_by_text(told)).to_be_visible()
    problem = page.get_by_role("row", name=re.compile("Age"))
    expect(problem.get_by_role("cell", name="2, 3, 4")).to_be_visible()
    plot = page.get_by_role("img", name=re.compile("the most frequent scores are"))
    expect(plot.locator("path.line")).to_be_visible()
    page.get_by_text("Scores as a table").click()
    expect(page.locator(".checks tbody tr").first).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("link", name=f"Download {patients.stem}.scored.csv").click()
    downloading.value.save_as(tmp_path / "result.csv")
    assert downloading.value.suggested_filename == f"{patients.stem}.scored.csv"
    result = (tmp_path / "result.csv").read_text().splitlines()
    given = patients.read_text().splitlines()
    assert [line.startswith(row) for line, row in zip(result, given, strict=True)] == [True] * (
        rows + 1
    )
    visit.keep("console-score")
    assert visit.complaints == []


def test_how_far_it_is_is_shown(visit: Visit, score_page: str, patients: Path) -> None:
    page = visit.page
    page.goto(score_page)

    choose(page, patients)

    expect(page.get_by_role("progressbar", name="Scoring progress")).to_be_visible()
    visit.assert_accessible()
    ended(page, patients.name)
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_a_file_is_dropped(visit: Visit, score_page: str, patients: Path) -> None:
    page = visit.page
    page.goto(score_page)

    dropped = page.evaluate_handle(
        """text => {
             const dropped = new DataTransfer();
             dropped.items.add(new File([text], "dropped.csv"));
             return dropped;
           }""",
        patients.read_text(),
    )
    page.get_by_text("or drop one here").dispatch_event("drop", {"dataTransfer": dropped})

    ended(page, "dropped.csv")


def test_the_same_file_again_is_scored_again(
    visit: Visit, score_page: str, laptop: Laptop, patients: Path
) -> None:
    page = visit.page
    page.goto(score_page)
    for _ in range(2):
        choose(page, patients)
        expect(page.get_by_text(f"{patients.name} has been uploaded.", exact=True)).to_be_visible()
        ended(page, patients.name)
        page.reload()

    listed = laptop.stack.s3.list_objects_v2(
        Bucket=laptop.stack.outputs.raw_bucket, Prefix=SCORE.folder
    )["Contents"]
    assert [SCORE.told_name(one["Key"]) for one in listed].count(patients.name) == 2


def test_an_earlier_file_is_chosen_by_the_keyboard(
    visit: Visit, score_page: str, patients: Path
) -> None:
    page = visit.page
    page.goto(score_page)
    later = patients.with_name(f"later-{patients.name}")
    later.write_bytes(patients.read_bytes())
    for file in (patients, later):
        choose(page, file)
        ended(page, file.name)

    page.get_by_role("combobox", name="Scored files").focus()
    page.keyboard.press("Enter")
    page.get_by_role("option", name=re.compile(f"^{patients.name}")).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    ended(page, patients.name)


def test_a_file_that_cannot_be_scored_shows_why(
    visit: Visit, score_page: str, tmp_path: Path
) -> None:
    bad, packed = (tmp_path / f"{uuid4()}.{ending}" for ending in ("csv", "zip"))
    bad.write_text("Patient_ID,Weight\nP1,70\n")
    packed.write_bytes(b"PK\x03\x04")
    page = visit.page
    page.goto(score_page)

    choose(page, packed)
    ended(page, packed.name, "failed")
    expect(page.get_by_text(re.compile("is a ZIP archive: unpack it"))).to_be_visible()
    choose(page, bad)

    ended(page, bad.name, "failed")
    expect(page.get_by_text("DatasetRejected", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="Drug_Name")).to_be_visible()


def test_a_large_file_is_uploaded_in_parts_and_how_far_that_is_is_shown(
    visit: Visit, score_page: str, laptop: Laptop, tmp_path: Path
) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"Patient_ID,Weight\n" + b"P1,70\n" * 6_000_000)
    page = visit.page
    page.goto(score_page)

    page.evaluate(KEEP_WHAT_IS_SAID)

    choose(page, large)

    expect(page.get_by_text("large.csv has been uploaded.", exact=True)).to_be_visible()
    said = page.evaluate("said")
    assert any(re.fullmatch(r"Uploading large\.csv: [\d.]+ MB of 36\.0 MB", one) for one in said)
    listed = laptop.stack.s3.list_objects_v2(
        Bucket=laptop.stack.outputs.raw_bucket, Prefix=SCORE.folder
    )["Contents"]
    (tag,) = {one["ETag"] for one in listed if one["Key"].endswith("large.csv")}
    assert tag == uploading.tag_of(large)


def test_the_machine_is_drawn_beside_the_other_one(
    visit: Visit, score_page: str, patients: Path
) -> None:
    page = visit.page
    page.goto(score_page)
    choose(page, patients)
    ended(page, patients.name)
    page.goto(score_page.removesuffix("score"))

    page.get_by_role("button", name="State machine: score").click()

    expect(page.locator("g.node[id*='-ScorePart-']")).to_be_visible()
    expect(page.get_by_role("cell", name="scored", exact=True).first).to_be_visible()
    visit.keep("console-score-machine")
    page.get_by_role("link", name="Scores and refused rows").click()
    ended(page, patients.name)
    assert visit.complaints == []


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_passes_axe_and_fits(
    chromium: Browser, score_page: str, patients: Path, scheme: Any, width: int
) -> None:
    with chromium.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}
    ) as context:
        visit = Visit(context.new_page())
        visit.page.goto(score_page)
        choose(visit.page, patients)
        ended(visit.page, patients.name)
        expect(visit.page.locator(".plot")).to_be_visible()

        visit.assert_accessible()
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        visit.keep(f"console-score-{scheme}-{width}")
