from local.studies import study_of
from studies.actg175.data import WORDS, in_words

ROW = {"": "1", "pidnum": "10056", "hemo": "0", "race": "0", "gender": "1", "strat": "2"}


def test_codes_become_words_and_the_row_number_goes() -> None:
    (row,) = in_words([{**ROW, "arms": "2", "cd496": "NA"}])

    assert row == {
        "pidnum": "10056",
        "hemo": "0",
        "race": "White",
        "gender": "Male",
        "strat": "1 to 52 weeks",
        "arms": "Zidovudine + zalcitabine",
        "cd496": "NA",
    }


def test_the_study_knows_every_word() -> None:
    columns = study_of("actg175").params().columns

    for name, words in WORDS.items():
        assert columns[name].listed == tuple(words.values())


def test_the_study_predicts_from_the_baseline_alone() -> None:
    params = study_of("actg175").params()

    after = {"treat", "offtrt", "cd420", "cd496", "r", "cd820", "cens", "days", "zprior"}
    assert after.isdisjoint(params.features)
    assert len(params.features) == 17
    assert params.study.assignment == "randomised"
