"""What clients of the drug study get is what they got, but for keys that were added.

And a side effect, which nobody knows before the treatment, may be left out of a request by now.
"""

import json
from collections.abc import Callable

import pytest
from clinical.registry import Champion
from clinical.release import release

from tests.unit.conftest import Api, Candidate
from tests.unit.functions import answers


@pytest.mark.parametrize("number", range(len(json.loads(answers.RECORDED.read_text("utf-8")))))
def test_an_answer_only_gained_keys(
    predict_api: Api,
    dropdown_api: Api,
    candidate: Candidate,
    promote: Callable[[Candidate], Champion],
    number: int,
) -> None:
    promote(candidate)
    function, method, path, body, event = list(answers.requests())[number]
    recorded = json.loads(answers.RECORDED.read_text("utf-8"))[number]

    answer = {"predict": predict_api, "dropdown": dropdown_api}[function](
        method, path, body, **event
    )

    text, before = answers.as_recorded(answer.text), answers.reworded(recorded["body"])
    if isinstance(body, dict) and body.get("Side_Effects") is None and path == "/predict":
        refused = answers.may_be_left_out_now(json.loads(before))
        if refused is None:
            assert answer.status == 200
            assert answer.body["averaged_over"] == ["Side_Effects"]
            return
        before = answers.compact(refused)
    assert (answer.status, answer.headers) == (recorded["status"], recorded["headers"])
    if text != before:
        before = json.loads(before)
        kept = answers.without_added(json.loads(text), before)
        if path == "/model":
            answers.drop_subgroups_intervals(kept)
            answers.drop_subgroups_intervals(before)
            answers.drop_encoder(before)
            answers.drop_sentences(kept)
            answers.drop_sentences(before)
        if path == "/openapi.json":  # whose schemas are described in words, which may be better now
            before["info"]["version"] = release()  # each release has its own
            answers.drop_descriptions(kept)
            answers.drop_descriptions(before)
            answers.drop_left_out(kept)
            answers.drop_left_out(before)
            answers.drop_hyperparameters(kept)
            answers.drop_hyperparameters(before)
        assert answers.compact(kept) == answers.compact(before)
