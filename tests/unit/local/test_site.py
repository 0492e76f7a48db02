import html
import json
import re

import pytest
from clinical.params import params
from hypothesis import given
from hypothesis import strategies as st

from local import site

API = "https://api.example/v1"
TITLE = 'Ten <patients> & "friends"'
STUDY = {
    "title": TITLE,
    "question": "How far?",
    "introduction": "Describe one patient.",
    "disclaimer": "For research only.",
    "target": {"label": "Disease progression", "range": [25, 346]},
}
PUBLISHED = site.published(STUDY, API, "https://site.example/")
PAGES = [name for name in PUBLISHED if name.endswith(".html")]


def test_the_pages_say_the_studys_words_as_text_and_nothing_else() -> None:
    index = PUBLISHED["index.html"].decode()

    assert "<h1>How far?</h1>" in index
    assert "<h2>Disease progression</h2>" in index
    for name in PAGES:
        page = PUBLISHED[name].decode()
        assert html.escape(TITLE) in page
        assert "<patients>" not in page
        assert "{{" not in page


def test_the_pages_may_connect_to_the_api_of_another_origin_and_no_further() -> None:
    for name in PAGES:
        assert b"connect-src 'self' https://api.example;" in PUBLISHED[name]

    own = site.published(STUDY, "/v1", "https://site.example/")
    assert b"connect-src 'self';" in own["index.html"]


def test_the_site_is_told_where_the_api_is_and_what_the_study_is() -> None:
    config = json.loads(PUBLISHED["config.json"])

    assert config == {"api_url": API, "study": STUDY, "ticks": site.ticks(25, 346)}


@pytest.mark.parametrize(
    ("low", "high", "step", "named"),
    [
        (0, 10, 1, [0, 2, 4, 6, 8, 10]),
        (25, 346, 50, [100, 200, 300]),
        (0, 1500, 200, [0, 400, 800, 1200]),
        (-20, 20, 5, [-20, -10, 0, 10, 20]),
        (0, 1, 0.1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.35, 0.12, 0.05, [-0.3, -0.2, -0.1, 0, 0.1]),
    ],
)
def test_a_scale_is_ticked_at_round_numbers(
    low: float, high: float, step: float, named: list[float]
) -> None:
    ticks = site.ticks(low, high)

    assert (ticks["step"], ticks["named"]) == (step, named)


@given(low=st.floats(-1e6, 1e6), width=st.floats(0.01, 1e6))
def test_the_ticks_of_any_scale_lie_on_it_and_are_ten_at_most(low: float, width: float) -> None:
    ticks = site.ticks(low, low + width)

    slack = 1e-6 * (abs(low) + width)
    assert low - slack <= ticks["first"] <= low + width
    assert 4 <= width / ticks["step"] <= site.MOST_TICKS + 1e-6
    assert 2 <= len(ticks["named"]) <= 6
    for one in ticks["named"]:
        assert low - slack <= one <= low + width + slack


def test_the_site_names_no_column_and_no_value_of_the_drug_study() -> None:
    """What a study calls its columns, the site is told when it is published and asked."""
    columns = params().columns
    words = {str(value) for kind in columns.values() for value in kind.listed}
    named = re.compile(rf"\b({'|'.join(map(re.escape, [*columns, *words]))})\b")

    found = {
        (file.name, word.group())
        for file in site.SITE.iterdir()
        for word in named.finditer(file.read_text(encoding="utf-8"))
        if not word.group().isdigit()  # 50 and 100 are numbers anywhere
    }

    assert found == set()


def test_the_predict_page_of_the_drug_study_weighs_20_000_bytes_at_most() -> None:
    api = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com/v1"
    files = site.published(site.described_study(params()), api, "https://site.example/")

    loaded = asked_for_at_once("index.html", files)

    assert loaded == {"index.html", "style.css", "form.js", "api.js", "page.js"}
    assert sum(len(files[name]) for name in loaded) <= 20_000


def asked_for_at_once(name: str, files: dict[str, bytes]) -> set[str]:
    """Name a file and all that a browser loads with it: what it links to and what it imports."""
    loads = re.compile(r'<link rel="stylesheet" href="(\S+)">|src="(\S+)"|from "\./(\S+)"')
    found = {
        other for one in loads.findall(files[name].decode()) for other in one if other in files
    }
    return {name}.union(*(asked_for_at_once(one, files) for one in found if one != name))
