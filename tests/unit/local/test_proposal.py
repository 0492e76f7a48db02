import csv
import io
import re

import pytest
import yaml
from cells import as_meant
from clinical.params import PATH, Params, parse_params
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tables import read

from local import scalars
from local.cloud import CloudFailed
from local.proposal import Asked, proposal, resolved

ROOT = PATH.read_text(encoding="utf-8")
ROWS = 60
SCORES = [str(row % 37 - 5) for row in range(ROWS)]


def written(columns: dict[str, list[str]], separator: str = ",", encoding: str = "utf-8") -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return buffer.getvalue().encode(encoding)


def proposed(body: bytes, target: str = "score", identifier: str | None = None) -> str:
    asked = resolved("trial.csv", body, Asked(target, identifier, "trial"))
    return proposal("trial.csv", body, asked, ROOT)


def params_of(columns: dict[str, list[str]], identifier: str | None = None) -> Params:
    return parse_params(proposed(written(columns), identifier=identifier))


def column(cells: list[str], name: str = "feature", *, repeated: bool = True) -> tuple[str, str]:
    """Give the kind that a column is proposed to have, and what is said of it."""
    whole = (cells * ROWS)[:ROWS] if repeated else cells
    columns = {name: whole, "other": ["a", "b", "c"] * (ROWS // 3), "score": SCORES[: len(whole)]}
    text = proposed(written({key: values[: len(whole)] for key, values in columns.items()}))
    before, _, after = text.partition(f"\n  {scalars.word(name)}:\n")
    comment = re.search(r"(?:  # .*\n?)+\Z", before)
    assert comment is not None
    kind = re.match(r"(?:    .*\n|      .*\n)+", after)
    assert kind is not None
    return kind[0], " ".join(re.sub(r"^  # ", "", comment[0], flags=re.MULTILINE).split())


# ---- Kinds ----


@pytest.mark.parametrize(
    ("cells", "kind", "why"),
    [
        (
            ["19", "79", *map(str, range(30, 50))],
            "kind: whole_number\n    min: 19\n    max: 79",
            "6",
        ),
        (
            ["1.25", "2.5", *map(str, range(9))],
            "kind: number\n    min: 0\n    max: 8\n    dec",
            "60",
        ),
        (["-1.5", "2.0", *map(str, range(9))], "kind: number\n    min: -1.5", "10 distinct"),
        (["yes", "No", "Y"], "kind: yes_no\n", "yes or no; 67% are yes."),
        (["0", "1"], "kind: yes_no\n", "50% are yes."),
        (["No", "Mild", "null-like"], 'kind: category\n    values: [Mild, "No", null-like]', "3 d"),
        (["50", "100", "850"], "kind: level\n    values: [50, 100, 850]", "such as dosages"),
        (["0.5", "1", "2.5"], "kind: level\n    values: [0.5, 1, 2.5]", "unevenly spaced"),
        (
            ["1", "2", "3"],
            "kind: whole_number\n",
            "use the kind category and put the values in quotes",
        ),
        (["2026-01-31", "2026-03-01"], "kind: date\n    since: 2026-01-31", "2 distinct"),
        (["007", "012", "013"], 'kind: category\n    values: ["007", "012", "013"]', "3 distinct"),
        (["1e3", "2e3"], "kind: category\n    values: [", "2 distinct words"),
        (["male", "Male", "Female"], "kind: category\n", "Some differ only in case"),
        (["same"], "kind: ignored\n", "All values are the same"),
        (["5", "5.0"], "kind: ignored\n", "All values are the same"),
        ([""], "kind: ignored\n", "All cells are empty."),
        (["1e12", "x" * 61], "kind: ignored\n", "ignored for privacy"),
        (["9" * 20, "1"], "kind: ignored\n", "cannot be measurements"),
    ],
)
def test_a_column_is_what_its_cells_say(cells: list[str], kind: str, why: str) -> None:
    found, said = column(cells)

    assert found.strip().startswith(kind.strip())
    assert why in said


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("surname", ["Curie", "Bohr"]),
        ("Patient name", ["Curie", "Bohr"]),
        ("date_of_birth", ["1970-01-01", "1980-01-01"]),
        ("E-Mail", ["a@example.org", "b@example.org"]),
        ("zip", ["10115", "20095"]),
    ],
)
def test_what_tells_who_a_patient_is_is_ignored_and_not_repeated(
    name: str, cells: list[str]
) -> None:
    found, said = column(cells, name)

    assert found == "    kind: ignored\n"
    assert "for privacy" in said
    assert not any(cell in found + said for cell in cells)


def test_texts_and_ids_are_ignored_and_no_cell_of_them_is_repeated() -> None:
    columns = {
        "study_id": [f"ID{row:05}" for row in range(ROWS)],
        "second_id": [f"X{row:05}" for row in range(ROWS)],
        "number": [str(70000 + 7 * row) for row in range(ROWS)],
        "visit": [f"seen by nurse {row}" for row in range(ROWS)],
        "row": [str(row) for row in range(1, ROWS + 1)],
        "sex": ["f", "m"] * (ROWS // 2),
        "score": SCORES,
    }

    text = proposed(written(columns))

    params = parse_params(text)
    assert params.identifier == "study_id"
    assert list(params.features) == ["sex"]
    for name in ("study_id", "second_id", "number", "visit"):
        assert not any(cell in text for cell in columns[name])


def test_the_identifier_is_the_one_that_is_named() -> None:
    columns = {
        "id": [f"a{row}" for row in range(ROWS)],
        "key": [f"b{row}" for row in range(ROWS)],
        "sex": ["f", "m"] * (ROWS // 2),
        "score": SCORES,
    }

    params = params_of(columns, identifier="KEY")

    assert params.identifier == "key"
    assert list(params.features) == ["sex"]


def test_missing_cells_make_a_column_nullable() -> None:
    found, said = column(["4", "NA", "", "null", *map(str, range(20, 40))])

    assert found.endswith("    nullable: true\n")
    assert "missing: whole numbers from 4 to 39" in said
    assert "Read as missing: NA, null." in said


@pytest.mark.parametrize(
    ("name", "cells"),
    [("race", ["1", "2", "3"]), ("Sex", ["0", "1"]), ("arms", ["0", "1", "2", "3"])],
)
def test_codes_of_groups_and_arms_are_words(name: str, cells: list[str]) -> None:
    found, said = column(cells, name)

    assert yaml.safe_load(found)["values"] == cells
    assert "CHECK: these are codes" in said


def test_doses_are_no_codes() -> None:
    found, _ = column(["1", "2", "3"], "dose")

    assert "kind: whole_number" in found


# ---- The target, and what tells it ----


def test_a_copy_of_the_target_is_ignored_and_what_nearly_tells_it_is_told() -> None:
    columns = {
        "again": [f"{score}.0" for score in SCORES],
        "doubled": [str(2 * int(score)) for score in SCORES],
        "score2": [str(row * row % 41) for row in range(ROWS)],
        "died_after": ["yes", "no", "no"] * (ROWS // 3),
        "score": SCORES,
    }

    text = proposed(written(columns))

    assert "  # A copy of the target.\n  again:\n    kind: ignored\n" in text
    assert "CHECK: it almost determines the target (correlation 1.000)." in text
    assert "CHECK: its name resembles the target's." in text
    assert "CHECK: by its name, it may have been recorded after the treatment." in text
    assert list(parse_params(text).features) == ["doubled", "score2", "died_after"]


def test_the_target_has_three_bands_of_a_third_each() -> None:
    params = params_of({"sex": ["f", "m"] * 30, "score": [str(row) for row in range(60)]})

    assert params.target.bands == {"Low": 0, "Moderate": 20, "High": 40}
    assert (params.scale, params.target.decimals) == ((0, 59), 0)


def test_a_target_of_few_values_has_as_many_bands_as_it_can() -> None:
    two = params_of({"sex": ["f", "m"] * 30, "score": ["0", "1"] * 30})
    three = params_of({"sex": ["f", "m"] * 30, "score": ["0", "1", "1", "2"] * 15})

    assert two.target.bands == {"All": 0}
    most = params_of({"sex": ["f", "m"] * 30, "score": ["9"] * 50 + [str(n) for n in range(10)]})
    assert three.target.bands == {"Low": 0, "High": 1}
    assert most.target.bands == {"Low": 0, "Moderate": 3, "High": 6}
    assert two.target.decimals == 1


def test_roles_are_guessed_by_name() -> None:
    columns = {
        "Age": [str(20 + 7 * row % 60) for row in range(ROWS)],
        "Gender": ["f", "m"] * (ROWS // 2),
        "drug_use": ["yes", "no"] * (ROWS // 2),
        "arm": ["active", "placebo"] * (ROWS // 2),
        "Dose_mg": ["5", "50", "500"] * (ROWS // 3),
        "off_treatment": ["a", "b"] * (ROWS // 2),
        "score": SCORES,
    }

    roles = params_of(columns).roles

    assert roles.treatment == roles.recorded_together == ("arm", "Dose_mg")
    assert roles.subgroups == {"Age": (20, 30, 45, 60), "Gender": None}
    assert roles.known_after_treatment == ()


# ---- What is refused ----


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "trial.csv has no column `score`: its columns are `a` and `b`"),
        (b"1,2\n3,4\n", "trial.csv has no column `score`: row 1 must contain the column names"),
        (b"a,scores\n1,2\n", "did you mean `scores`?"),
        (b"score\n1\n2\n", "only one column"),
        (b"a,a,score\n1,2,3\n4,5,6\n", "several columns named `a`"),
        (b"a,score,score\n1,2,3\n4,5,6\n", "more than one column `score`"),
        (b"a,score\n1,2\n2,2\n", "`score` of trial.csv is always the same"),
        (b"a,score\n1,x\n2,y\n", "`score` of trial.csv is not a number in every row"),
        (b"a,score\n1,1\n1,2\n", "no column to predict from"),
        (b"a,score\n", "there are no rows below the header"),
        (b"title\n\na,score\n1,2\n", "the header is in row 3; row 1 looks like a title"),
        (b"PK\x03\x04xl/", "is an Excel workbook: save it as CSV UTF-8"),
        (b'a,score\n"1,2\n3,4\n', "a quote is opened and never closed"),
    ],
)
def test_a_file_of_which_no_study_can_be_made_is_told_why(body: bytes, said: str) -> None:
    with pytest.raises(CloudFailed, match=re.escape(said)):
        proposed(body)


def test_an_identifier_names_each_patient_once() -> None:
    body = b"id,a,score\n1,x,1\n1,y,2\n2,x,3\n,y,4\n"

    with pytest.raises(CloudFailed, match=r"1 of its values are in several rows, 1 are missing"):
        proposed(body, identifier="id")
    with pytest.raises(
        CloudFailed, match=r"no column `pid`, which ID= names: its columns are `id`"
    ):
        proposed(body, identifier="pid")
    with pytest.raises(CloudFailed, match=r"TARGET= and ID= both name `score`"):
        proposed(body, identifier="score")


# ---- The file that is written ----


def test_the_other_decisions_are_the_roots_with_their_comments() -> None:
    text = proposed(written({"sex": ["f", "m"] * 30, "score": SCORES}))

    kept, root = parse_params(text), parse_params(ROOT)
    for section in ("seed", "split", "dataset", "model", "intervals", "tuning", "gate"):
        assert getattr(kept, section) == getattr(root, section)
    assert kept.serving == root.serving.model_copy(update={"dropdown_keys": {}})
    assert "seed: 42\n" in text
    assert "# The model: random_forest, gradient_boosting or ridge" in text
    assert "\nmodel:\n  family: random_forest\n" in text
    assert "dropdown" not in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_leniencies_of_reading_are_told() -> None:
    columns = {"weight": ["70,5", "81,25", "64,0"] * 20, "group": ["a", "b"] * 30, "score": SCORES}

    text = proposed(written(columns, ";", "utf-16"))

    assert (
        "Read as UTF-16. Read as semicolon-separated. Decimal commas read as decimal points."
        in (" ".join(line.removeprefix("# ") for line in text.splitlines()))
    )
    assert "min: 64\n    max: 81.25\n    decimals: 2" in text or "values: [64, 70.5, 81.25]" in text


def test_few_rows_and_other_widths_are_told() -> None:
    text = proposed(b",sex,score\n1,f,1\n2,m,2\n3,f,3\n4,m\n")

    assert "CHECK: training needs at least 50 rows." in text
    assert "Skipped 1 row with another number of cells. Skipped 1 column without a name." in (
        " ".join(line.removeprefix("# ") for line in text.splitlines())
    )


@pytest.mark.parametrize(
    "words", ["No", "null", "1e3", "- x", "a: b", "#", "x #y", "😀", "", "ü ", "~"]
)
def test_a_word_is_written_so_that_yaml_reads_it_back(words: str) -> None:
    assert yaml.safe_load(f"[{scalars.word(words)}]") == [words]
    assert yaml.safe_load(f"{scalars.word(words)}: 1") == {words: 1}


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@example("\x85\u2028\ufeff\x07\ud7ff\U0001f600\\\"'")
def test_any_word_is_read_back(words: str) -> None:
    assert yaml.safe_load(scalars.word(words)) == words
    assert yaml.safe_load(f"a:\n  - {scalars.word(words)}\n") == {"a": [words]}


@given(st.floats(-1e12, 1e12), st.integers(0, 6))
def test_any_number_is_read_back(value: float, decimals: int) -> None:
    read_back = yaml.safe_load(scalars.number(value, decimals))

    assert isinstance(read_back, int | float)
    assert read_back == round(value, decimals)


ODD = st.sampled_from(
    [
        *(
            "No",
            "yes",
            "1e3",
            "null",
            "NA",
            "- x",
            "~",
            "",
            "  pad ",
            "x: y",
            "# c",
            "'",
            "a'b",
            '"q"',
        ),
        *(
            "0",
            "1",
            "1.50",
            "-3",
            "1,5",
            "007",
            "56.0",
            ".5",
            "1234567890123",
            "1_000",
            "1:30",
            "=",
            "<<",
        ),
        *(
            "2026-01-31",
            "2026-02-28",
            "2026-02-30",
            "[a]",
            "{b}",
            "&a",
            "*a",
            "!t",
            "|",
            ">",
            "%",
            "@",
        ),
        *("😀", "ß", "日本語", "עברית", "\\", "a\nb", "tab\there", "-", "None", "?", "x" * 70),
    ]
)
NAMES = st.one_of(
    st.sampled_from(
        [
            "No",
            "null",
            "a b",
            "it's",
            'say "x"',
            "k: v",
            "# no",
            "- x",
            "1",
            "1.5",
            "😀",
            "年齢",
            "ID",
            "arm",
            "Age",
            "sex",
            "dose mg",
            "score2",
            "name",
            "{x}",
            "[y]",
            "&z",
            "2026-01-31",
            "Größe",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\x1a"), min_size=1, max_size=12),
)


@st.composite
def odd_columns(draw: st.DrawFn) -> dict[str, list[str]]:
    names = draw(
        st.lists(NAMES, min_size=1, max_size=draw(st.sampled_from([2, 5, 39])), unique=True)
    )
    columns = {}
    for name in names:
        pool = draw(st.lists(ODD, min_size=1, max_size=6))
        if draw(st.booleans()):
            pool = [str(one) for one in draw(st.lists(st.integers(-5, 10**13), min_size=1))]
        columns[name] = (pool * ROWS)[:ROWS]
    return {**columns, "score": SCORES}


def proposed_or_refused(body: bytes) -> str | None:
    """A proposal, or None where the data are refused for a reason of theirs."""
    try:
        return proposed(body)
    except CloudFailed as refused:
        said = str(refused)
    assert "no valid params.yaml" not in said
    return None


@settings(max_examples=60)
@given(
    odd_columns(),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_proposal_is_valid_and_its_data_keep_it(
    columns: dict[str, list[str]], separator: str, encoding: str
) -> None:
    body = written(columns, separator, encoding)

    text = proposed_or_refused(body)
    if text is None:
        return
    params = parse_params(text)
    table = read("trial.csv", body, params)
    meant, _ = as_meant(table, params)
    for name, kind in params.read.items():
        for rule in kind.rules():
            assert all(map(rule.keeps, meant[name].cells)), (name, rule.name)


def test_forty_columns_are_as_welcome_as_three() -> None:
    many = {f"marker_{n}": [str((row * n) % 97) for row in range(ROWS)] for n in range(2, 40)}

    params = params_of({"id": [f"p{row}" for row in range(ROWS)], **many, "score": SCORES})

    assert len(params.columns) == 40
    assert len(params.features) == 38
    assert (
        len(
            params_of(
                {"id": [f"p{n}" for n in range(60)], "x": ["a", "b"] * 30, "score": SCORES}
            ).columns
        )
        == 3
    )
