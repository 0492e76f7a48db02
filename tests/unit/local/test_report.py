"""`make report`: the page that the API answers, in a file, and what it lacks on the terminal."""

import io
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clinical.report import ITEMS
from rich.console import Console

from local import report
from local.cloud import CloudFailed
from local.studies import study_of

PAGE = '<p data-missing="ethics">Yours</p><p data-missing="objectives">Yours</p>'


class Answer(io.BytesIO):
    """What urllib gives."""


def stack(folder: Path) -> Any:
    outputs = SimpleNamespace(api_url="http://api.example/v1")
    return SimpleNamespace(folder=folder, outputs=outputs, study=study_of("diabetes"))


def printed(folder: Path, file: Path | None = None) -> str:
    console = Console(width=200, no_color=True, soft_wrap=True)
    with console.capture() as captured:
        report.write(stack(folder), file, console)
    return captured.get()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were asked; each answers with the page."""
    urls: list[str] = []

    def answer(url: str, timeout: float) -> Answer:
        urls.append(url)
        return Answer(PAGE.encode())

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    return urls


def test_the_page_is_written_and_what_it_lacks_is_told(tmp_path: Path, asked: list[str]) -> None:
    text = printed(tmp_path)

    path = tmp_path / "report.html"
    assert asked == ["http://api.example/v1/report"]
    assert path.read_text(encoding="utf-8") == PAGE
    assert text.splitlines() == [
        str(path),
        (
            "Missing: 2 statements that only people can make. Add them under study.report in "
            "studies/diabetes/params.yaml, then run `make up`."
        ),
        "  4    objectives             Objectives: The aims of the study",
        "  17   ethics                 Ethical approval: Approval and consent",
    ]


def test_it_goes_where_somebody_wants_it(tmp_path: Path, asked: list[str]) -> None:
    path = tmp_path / "there" / "[it].html"

    assert str(path) in printed(tmp_path, path)
    assert path.read_text(encoding="utf-8") == PAGE


def test_a_page_that_lacks_nothing_is_told_so(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Answer(b"<p>Whole.</p>"))

    assert printed(tmp_path).endswith("No statements are missing.\n")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, asked: list[str]) -> None:
    with pytest.raises(CloudFailed, match="cannot be written: Is a directory"):
        printed(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            urllib.error.HTTPError("u", 503, "no", Message(), io.BytesIO(b"no model is loaded")),
            "the API returned 503: no model is loaded",
        ),
        (urllib.error.URLError("refused"), "cannot reach the API: refused"),
    ],
)
def test_an_api_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)

    with pytest.raises(CloudFailed, match=told):
        printed(tmp_path)


def test_missing_items_are_in_the_checklists_order() -> None:
    marks = "".join(f'<p data-missing="{one.key}"/>' for one in reversed(ITEMS) if one.key)

    assert report.missing(marks) == [one for one in ITEMS if one.key]
