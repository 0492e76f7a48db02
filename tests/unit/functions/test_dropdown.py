from collections.abc import Callable

from clinical.params import params
from clinical.registry import Champion

from tests.unit.conftest import Api, Candidate


def test_a_form_learns_what_it_can_offer(
    dropdown_api: Api, candidate: Candidate, promote: Callable[[Candidate], Champion]
) -> None:
    promote(candidate)

    answer = dropdown_api("GET", "/dropdown-values")

    assert answer.status == 200
    assert answer.body["genders"] == ["Female", "Male"]
    assert answer.body["conditions"] == list(params().columns["Condition"].listed)
    assert answer.body["drugs"] == list(params().columns["Drug_Name"].listed)
    assert answer.body["side_effects"] == list(params().columns["Side_Effects"].listed)
    assert answer.body["dosages"] == [50, 100, 250, 500, 850]
    assert answer.body["age_range"] == [18, 79]
    assert answer.body["duration_range"] == [5, 59]
    assert {
        "Condition": "Infection",
        "Drug_Name": "Ciprofloxacin",
        "Dosage_mg": 50,
        "Side_Effects": "Nausea",
    } in answer.body["valid_combinations"]


def test_without_a_champion_there_is_nothing_to_offer(dropdown_api: Api) -> None:
    answer = dropdown_api("GET", "/dropdown-values")

    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
