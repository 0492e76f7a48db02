import pytest
from clinical.groups import grouping, groups_by
from clinical.params import params


@pytest.mark.parametrize(
    ("age", "band"), [(18, "18-34"), (34, "18-34"), (35, "35-49"), (65, "65-79"), (79, "65-79")]
)
def test_a_number_is_in_the_band_that_begins_at_or_before_it(age: int, band: str) -> None:
    assert grouping("Age", params())(age) == band


def test_what_is_missing_is_a_group_of_its_own() -> None:
    assert grouping("Age", params())(None) == "missing"
    assert grouping("Gender", params())(None) == "missing"


def test_a_patient_has_a_group_in_each_column() -> None:
    named = groups_by(("Gender", "Age"), params())

    assert named({"Gender": "Female", "Age": 50}) == ("Female", "50-64")
    assert groups_by((), params())({"Age": 50}) == ()
