from pathlib import Path

from clinical.params import params
from retrain.stages.extract_combinations import valid_combinations

from tests.pipeline import rows_of

HEADER = ",".join([name for name in params().columns if name != params().identifier])


def test_a_combination_is_listed_once_and_in_order() -> None:
    text = f"""{HEADER}
56,Male,Infection,Ciprofloxacin,500,9,Nausea,8.5
57,Female,Infection,Ciprofloxacin,50,8,Nausea,8.1
58,Male,Infection,Ciprofloxacin,500,7,Nausea,8.2
"""

    drug = {"Condition": "Infection", "Drug_Name": "Ciprofloxacin", "Side_Effects": "Nausea"}
    assert valid_combinations(rows_of(text, params()), params()) == [
        drug | {"Dosage_mg": 50},
        drug | {"Dosage_mg": 500},
    ]


def test_the_real_data_records_222_of_225(real_data: Path) -> None:
    body = real_data.read_text(encoding="utf-8-sig").encode()

    assert len(valid_combinations(rows_of(body, params()), params())) == 222
