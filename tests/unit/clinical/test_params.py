import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from clinical import compiled
from clinical.contract import (
    ComparedTreatment,
    DropdownValues,
    ExplainedPrediction,
    TreatmentComparison,
)
from clinical.contradictions import OF_ANSWERS, OF_DROPDOWN_VALUES
from clinical.errors import ParamsInvalid
from clinical.params import (
    PATH,
    ApprovalWhen,
    MovesMoreThan,
    Params,
    params,
    parse_params,
    read_params,
)
from pydantic import ValidationError

from tests.unit.conftest import ROOT

TEXT = PATH.read_text(encoding="utf-8")


def with_value(path: str, value: object) -> str:
    """The text of params.yaml with one value set by its dotted path."""

    def change(tree: Any) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            tree = tree[parent]
        tree[last] = value

    return changed(change)


def changed(change: Callable[[Any], object]) -> str:
    """The text of params.yaml after a change."""
    tree = yaml.safe_load(TEXT)
    change(tree)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def replaced(old: str, new: str) -> str:
    """The text of params.yaml as it is written, with other words in one place."""
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def mistakes(text: str) -> list[str]:
    with pytest.raises(ParamsInvalid) as refused:
        parse_params(text)
    return str(refused.value).splitlines()


def mistake(text: str) -> str:
    """The only mistake in a text, without its line."""
    (said,) = mistakes(text)
    name, line, rest = re.split(r", (?=line)|(?<=\d): ", said, maxsplit=2)
    assert name == "params.yaml"
    assert line.startswith("line ")
    return rest


def line_of(words: str, text: str = TEXT) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)


def test_the_decisions_are_those_of_the_predecessor() -> None:
    decided = params()

    assert decided.seed == 42
    assert decided.split.test_fraction == 0.2
    assert decided.model.model_dump() == {
        "family": "random_forest",
        "n_estimators": 200,
        "max_depth": 15,
        "min_samples_split": 5,
        "min_samples_leaf": 2,
        "max_samples": 10_000,  # which the predecessor's thousand rows never were
    }
    assert decided.columns["Age"].told_range("Age") == "ages 18 to 79"
    assert decided.columns["Dosage_mg"].listed == (50, 100, 250, 500, 850)
    assert len(decided.columns["Drug_Name"].listed) == 15
    assert len(decided.columns["Side_Effects"].listed) == 30


def test_a_study_says_what_its_columns_are_to_it() -> None:
    decided = params()

    assert decided.identifier == "Patient_ID"
    assert decided.target.column == "Improvement_Score"
    assert decided.scale == (0, 10)
    assert list(decided.features) == [
        *("Age", "Dosage_mg", "Treatment_Duration_days"),
        *("Gender", "Condition", "Drug_Name", "Side_Effects"),
    ]
    assert list(decided.asked) == list(decided.columns)[:-1]


def test_a_study_needs_no_identifier() -> None:
    text = changed(lambda tree: tree["schema"].pop("Patient_ID"))

    assert parse_params(text).identifier is None


# ---- Where a mistake is, and what is allowed there ----


def test_a_mistake_is_named_with_the_file_its_line_and_its_path() -> None:
    text = replaced("values: [Female, Male]", "values: [Female, Male, No]")

    line = line_of("values: [Female, Male, No]", text)
    assert mistakes(text) == [
        (
            f"params.yaml, line {line}: schema.Gender.values.2: YAML reads this as the boolean No; "
            "put it in quotes"
        )
    ]


def test_the_name_of_the_file_is_the_callers() -> None:
    with pytest.raises(ParamsInvalid, match=r"^studies/trial/params\.yaml, line 1: "):
        parse_params("", "studies/trial/params.yaml")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Yes", "the boolean Yes"),
        ("On", "the boolean On"),
        ("0", "the number 0"),
        ("1", "the number 1"),
        ("1.0e+3", "the number 1.0e+3"),
        ("null", "null"),
        ("~", "null"),
        ("2026-01-31", "the date 2026-01-31"),
        ("1:30", "the number 1:30"),
        ("{a: b}", "a mapping"),
    ],
)
def test_what_yaml_takes_for_something_else_than_a_word_belongs_in_quotes(
    written: str, said: str
) -> None:
    listed = replaced("values: [Female, Male]", f"values: [{written}, Female, Male]")
    example = replaced("example: Nausea", f"example: {written}")
    title = replaced("title: Clinical outcomes", f"title: {written}")

    assert mistake(listed) == f"schema.Gender.values.0: YAML reads this as {said}; put it in quotes"
    if written not in {"null", "~", "{a: b}"}:  # no example is an example that is left out
        assert f"YAML reads this as {said}; put it in quotes" in mistake(example)
        assert f"YAML reads this as {said}; put it in quotes" in mistake(title)


def test_a_column_is_not_called_what_yaml_takes_for_no_name() -> None:
    text = TEXT.replace("  Gender:\n    kind", "  No:\n    kind")

    assert mistakes(text)[0] == (
        f"params.yaml, line {line_of('  No:', text)}: schema.No: YAML reads this name as the "
        "boolean No; put it in quotes"
    )


@pytest.mark.parametrize(
    ("path", "has"),
    [
        ("colour", "the file has study, schema, target"),
        ("model.colour", "the family random_forest has family, n_estimators, max_depth"),
        ("schema.Age.colour", "the kind whole_number has "),
        ("serving.colour", "serving has refresh_seconds"),
        ("tuning.grids.small.colour", "small has random_forest, gradient_boosting, ridge"),
        ("tuning.grids.small.ridge.colour", "ridge has alpha"),
    ],
)
def test_an_unknown_key_is_named_with_the_keys_that_there_are(path: str, has: str) -> None:
    assert mistake(with_value(path, "blue")).startswith(f"{path}: unknown key; {has}")


def test_a_key_that_is_nearly_one_is_guessed() -> None:
    assert mistake(with_value("model.max_dept", 3)).endswith("; did you mean max_depth?")
    assert mistake(with_value("schema.Age.descripton", "")).endswith("; did you mean description?")


def test_an_unknown_kind_is_named_with_the_kinds_that_there_are() -> None:
    assert mistake(with_value("schema.Age.kind", "whole number")) == (
        "schema.Age: unknown kind whole number; the kinds are identifier, whole_number, number, "
        "yes_no, category, level, date, ignored; did you mean whole_number?"
    )


@pytest.mark.parametrize(
    ("column", "begins"),
    [({"min": 1}, "kind is missing"), ("number", "must be a mapping"), (None, "must be a map")],
)
def test_a_column_without_a_kind_is_told_which_there_are(column: object, begins: str) -> None:
    said = mistake(with_value("schema.Weight", column))

    assert said.startswith(f"schema.Weight: {begins}")
    assert "yes_no, category, level" in said


def test_missing_keys_are_named_at_their_column() -> None:
    text = changed(lambda tree: [tree["schema"]["Age"].pop(key) for key in ("min", "max")])

    assert mistakes(text) == [
        (
            f"params.yaml, line {line_of('  Age:', text)}: schema.Age: min and max are missing; "
            "the kind whole_number needs kind, min and max"
        )
    ]


def test_a_missing_section_is_named() -> None:
    text = changed(lambda tree: tree.pop("gate"))

    assert mistake(text).startswith("gate is missing; the file needs study, schema,")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("schema.Age.min", "young", "must be a whole number; it is the text 'young'"),
        ("schema.Age.min", 18.5, "must be a whole number; it is the number 18.5"),
        ("schema.Age.nullable", "perhaps", "must be true or false; it is the text 'perhaps'"),
        ("schema.Gender.values", "Male", "must be a list, such as [one, another]; it is the te"),
        ("schema.Gender.values", [], "must not be empty"),
        ("schema.Gender.values", ["a", "a"], "a is listed twice"),
        ("schema.Dosage_mg.values", [50, "100"], "a level must be a number, without quotes"),
        ("schema.Improvement_Score.max", [], "must be a number; it is a list"),
        ("schema.Improvement_Score.decimals", 9, "must be at most 6; it is 9"),
        ("roles.treatment", "Drug_Name", "must be a list, such as [one, another]; it is the te"),
        ("roles", [], "must be a mapping, such as {name: value}; it is a list"),
        ("target.higher_is", "beter", "must be better or worse; it is the text 'beter'; did"),
        ("study.title", "", "must not be empty"),
        ("split.test_fraction", 1, "must be less than 1; it is 1"),
        ("gate.without_skill", "promoted", "must be rejected or promoted_with_warning"),
        ("intervals.coverage", 1, "must be less than 1"),
        ("intervals.folds", 1, "must be at least 2"),
        ("tuning.tolerated_failures", 1, "must be less than 1"),
        ("tuning.grids.small.random_forest.n_estimators", [], "must not be empty"),
        ("tuning.grids.small.random_forest.max_depth", [10, 0], "must be at least 1; it is 0"),
        ("tuning.grids.small.ridge.alpha", [1, 0], "must be greater than 0; it is 0"),
        ("tuning.families", [], "must not be empty"),
        ("tuning.families", ["rigde"], "must be random_forest, gradient_boosting or ridge; it"),
        ("model.max_depth", "deep", "must be a whole number; it is the text 'deep'"),
        ("model", {"family": "ridge", "alpha": 0}, "must be greater than 0; it is 0"),
        ("evaluation.confidence", 95, "must be less than 1"),
        ("seed", -1, "must be at least 0; it is -1"),
    ],
)
def test_a_value_that_cannot_be_one_is_told_what_can(path: str, value: object, said: str) -> None:
    where, reason = mistake(with_value(path, value)).split(": ", 1)

    assert re.fullmatch(re.escape(path) + r"(\.\d|\.alpha)?", where)
    assert reason.startswith(said)


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ("when", "", "must be none, always or {when: [with_warning]}; it is the text 'when'"),
        ("ALWAYS", "", "must be none, always or {when: [with_warning]}; it is the text 'ALWAYS'"),
        ("yes", "", "must be none, always or {when: [with_warning]}; it is the boolean yes"),
        ("3", "", "must be none, always or {when: [with_warning]}; it is the number 3"),
        ("[with_warning]", "", "must be none, always or {when: [with_warning]}; it is a list"),
        ("{}", "", "when is missing; it lists one or more of with_warning, loses_combinations"),
        (
            "{when: []}",
            ".when",
            "must be a list of one or more of with_warning, loses_combinations",
        ),
        ("{when: with_warning}", ".when", "must be a list of one or more of with_warning"),
        ("{when: [with_warnin]}", ".when.0", "unknown rule with_warnin; the rules are with"),
        ("{when: [with_warning, always]}", ".when.1", "unknown rule always; the rules are"),
        ("{when: [[with_warning]]}", ".when.0", "unknown rule; the rules are with_warning"),
        ("{when: [replay_moves_more_than]}", ".when.0", "it needs a fraction of at least 0"),
        ("{when: [replay_moves_more_than: 1]}", ".when.0", "it needs a fraction of at least 0"),
        ("{when: [replay_moves_more_than: no]}", ".when.0", "it needs a fraction of at least 0"),
        ("{when: [with_warning: 0.1]}", ".when.0", "with_warning takes no value; remove the colon"),
        (
            "{when: [{replay_moves_more_than: 0.1, a: 1}]}",
            ".when.0",
            "each rule must be a separate",
        ),
        ("{when: [with_warning, with_warning]}", ".when.1", "with_warning is listed twice"),
        ("{when: [with_warning], colour: blue}", ".colour", "unknown key; approval has"),
    ],
)
def test_who_has_to_approve_is_a_word_or_a_list_of_rules(
    written: str, path: str, said: str
) -> None:
    text = replaced("  approval: none", f"  approval: {written}")
    line = line_of("  approval: ", text)

    (found,) = mistakes(text)

    assert found.startswith(f"params.yaml, line {line}: gate.approval{path}: {said}")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("no", "none"), ("null", "none"), ("Always", "always"), ("non", "none")],
)
def test_who_has_to_approve_is_guessed(written: str, meant: str) -> None:
    text = replaced("  approval: none", f"  approval: {written}")

    assert mistakes(text)[0].endswith(f"; did you mean {meant}?")


def test_rules_by_which_somebody_has_to_approve_are_read() -> None:
    rules = "[with_warning, loses_combinations, {replay_moves_more_than: 0.1}]"
    approval = parse_params(
        replaced("approval: none", f"approval: {{when: {rules}}}")
    ).gate.approval

    assert isinstance(approval, ApprovalWhen)
    assert approval.when == (
        "with_warning",
        "loses_combinations",
        MovesMoreThan(replay_moves_more_than=0.1),
    )


def test_every_mistake_is_named_at_once_in_the_files_order() -> None:
    def spoil(tree: Any) -> None:
        tree["colour"] = "blue"
        tree["schema"]["Age"] |= {"min": 90, "colour": "blue"}
        tree["schema"]["Gender"]["kind"] = "sex"
        tree["target"]["bands"] = {"Low": 1}
        tree["roles"]["treatment"] = ["Drug"]
        tree["seed"] = -1
        del tree["split"]

    said = mistakes(changed(spoil))

    paths = [
        ("split is missing"),
        ("schema.Age: min is 90 and max is 79; max must be greater than min"),
        ("schema.Age.colour: unknown key"),
        ("schema.Gender: unknown kind sex"),
        ("target.bands: values from 0 to 1 are not in any band"),
        ("roles.treatment.0: schema has no column Drug"),
        ("seed: must be at least 0"),
        ("colour: unknown key"),
    ]
    assert [one.split(": ", 1)[1][: len(path)] for one, path in zip(said, paths, strict=True)] == (
        paths
    )
    lines = [int(one.split(": ")[0].rpartition(" ")[2]) for one in said]
    assert lines == sorted(lines)
    assert lines[0] == 1


# ---- What is not YAML, or not a file of decisions ----


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the file is empty; it needs study, schema"),
        ("# nothing yet\n", "line 1: the file is empty"),
        ("- a\n- b\n", "line 1: the file must be a mapping with study, schema"),
        ("seed", "line 1: the file must be a mapping"),
        ("seed: [1, 2", "line 1: this bracket is never closed"),
        ('study:\n  title: "x\n', "line 2: this quote is never closed"),
        ("schema:\n\tAge:\n", "line 2: the line is indented with a tab; YAML allows only spaces"),
        ("schema:\n  a: 1\n \tb: 1\n", "line 3: the line is indented with a tab"),
        ("a: 1\n b: 2\n", "line 2: unexpected colon"),
        ("study:\n  title: Trial: one\n", "line 2: unexpected colon"),
        ("a:\n    b: 1\n  c: 2\n", "line 3: the indentation does not match the lines above"),
        ("a: 1\nb\n", "line 2: the colon after the key is missing"),
        ("a: \x00", "line 1: the character '\\x00' is not allowed in YAML"),
        ("a: *b", "line 1: this is not valid YAML: found undefined alias 'b'"),
        ("? [a]\n: b", "line 1: a list or a mapping cannot be a key"),
        ("a: 1\n---\nb: 1", "line 2: the file has two documents"),
    ],
)
def test_text_that_is_not_yaml_is_refused_with_the_line(text: str, said: str) -> None:
    assert mistakes(text)[0].startswith(f"params.yaml, {said}")


def test_a_day_that_no_calendar_has_is_named_with_its_line() -> None:
    text = replaced("example: Nausea", "example: 2026-02-31")

    assert mistakes(text) == [
        (
            f"params.yaml, line {line_of('2026-02-31', text)}: schema.Side_Effects.example: YAML "
            "reads this as the date 2026-02-31, which does not exist; put it in quotes if it is "
            "text"
        )
    ]


def test_keys_that_stand_twice_are_named_with_both_lines() -> None:
    text = replaced("    label: Drug\n", "    label: Drug\n    label: Drugs\n") + "\nseed: 7\n"

    assert mistakes(text) == [
        (
            f"params.yaml, line {line_of('label: Drugs', text)}: schema.Drug_Name.label: duplicate "
            f"key; the first one is on line {line_of('label: Drug', text)}"
        ),
        (
            f"params.yaml, line {line_of('seed: 7', text)}: seed: duplicate key; the first one is "
            f"on line {line_of('seed: 42', text)}"
        ),
    ]


def test_a_file_that_is_not_utf_8_is_told_so_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes("study:\n  title: Überleben\n".encode("latin-1"))

    with pytest.raises(ParamsInvalid) as refused:
        read_params(path, "mine.yaml")

    assert str(refused.value) == (
        "mine.yaml, line 2: byte 0xdc is not valid UTF-8; save the file as UTF-8"
    )


def test_a_byte_order_mark_is_overlooked(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8-sig")

    assert read_params(path) == params()


# ---- What contradicts what ----


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("schema.Age.example", 80, "80 is not a value from 18 to 79"),
        ("schema.Gender.example", "male", "male is not one of its values: Female, Male"),
        ("schema.Dosage_mg.example", 60, "60 is not one of its values: 50, 100, 250, 500, 850"),
        ("schema.Patient_ID.example", "x" * 65, "is not text of 1 to 64 characters"),
        ("schema.Age.range_in_words", "ages {low}", "only {min} and {max} are allowed in braces"),
        ("schema.Improvement_Score.nullable", True, "the target cannot be missing"),
        ("target.column", "Improvement", "did you mean Improvement_Score?"),
        ("target.bands", {"Low": 0, "High": 0}, "each band must begin above the previous one"),
        ("target.bands", {"Low": 1}, "values from 0 to 1 are not in any band"),
        ("target.bands", {"Low": 0, "High": 10}, "begins at 10, but no value is above 10"),
        ("roles.treatment", ["Drug"], "schema has no column Drug; its columns are Patient_ID, A"),
        ("roles.treatment", ["Age", "Age"], "Age is listed twice"),
        ("roles.treatment", ["Patient_ID"], "Patient_ID is not used by the model"),
        ("roles.recorded_together", ["Improvement_Score"], "Improvement_Score is the target"),
        ("roles.subgroups", {"Weight": None}, "schema has no column Weight"),
        ("roles.subgroups", {"Age": None}, "list where its bands begin, such as [18, 48.5]"),
        ("roles.subgroups", {"Age": [50, 18]}, "each band must begin above the previous one"),
        ("roles.subgroups", {"Age": [30, 50]}, "values from 18 to 30 are not in any band"),
        ("roles.subgroups", {"Age": [18, 80]}, "begins at 80, but no value is above 79"),
        ("roles.subgroups", {"Gender": [1]}, "its groups are its values; only a number has bands"),
        ("serving.dropdown_keys", {"sexes": "Sex"}, "schema has no column Sex"),
        ("serving.dropdown_keys", {"fields": "Age"}, "this is already a key of /dropdown-values"),
    ],
)
def test_parts_that_contradict_one_another_are_named_at_their_line(
    path: str, value: object, said: str
) -> None:
    text = with_value(path, value)

    (only,) = mistakes(text)

    where, line, rest = re.match(r"(.*), line (\d+): (.*)", only).groups()  # type: ignore[union-attr]
    assert where == "params.yaml"
    assert rest.startswith(path)
    assert said in rest
    assert int(line) >= line_of(path.rpartition(".")[2], text)


def test_the_target_must_be_a_number() -> None:
    text = changed(lambda tree: tree["target"].update(column="Gender"))

    assert mistakes(text)[0].endswith(
        "target.column: schema.Gender must be a number or whole_number to be the target"
    )


def test_who_and_what_is_predicted_is_not_called_as_another_key_of_an_answer() -> None:
    def rename(tree: Any) -> None:
        tree["schema"]["support"] = tree["schema"].pop("Improvement_Score")
        tree["schema"]["interval"] = tree["schema"].pop("Patient_ID")
        tree["target"]["column"] = "support"

    said = "\n".join(mistakes(changed(rename)))

    assert "schema.support: support is already a key of every response; rename" in said
    assert "schema.interval: interval is already a key of every response; rename" in said


@pytest.mark.parametrize("name", ["prediction_id", "interval"])
def test_a_treatment_is_not_called_as_what_the_log_says_of_it(name: str) -> None:
    text = TEXT.replace("Drug_Name", name)

    said = "\n".join(mistakes(text))

    assert f"schema.{name}: {name} is already a key of every compared treatment; rename" in said


def test_a_patient_is_not_named_as_a_prediction_is() -> None:
    text = TEXT.replace("Patient_ID", "prediction_id")

    said = "\n".join(mistakes(text))

    assert "schema.prediction_id: prediction_id is already a key of every response; rename" in said


def test_the_keys_of_answers_are_those_of_the_contract() -> None:
    own = {"identifier", "score"}  # which go by the column's name

    answers = (ExplainedPrediction, TreatmentComparison, ComparedTreatment)
    assert set().union(*(one.model_fields for one in answers)) - own == OF_ANSWERS
    listed = set(params().serving.dropdown_keys)
    assert set(DropdownValues.model_fields) - listed == OF_DROPDOWN_VALUES


def test_there_is_one_identifier_at_most() -> None:
    text = with_value("schema.Gender", {"kind": "identifier"})

    assert "schema.Gender: Patient_ID and Gender are identifiers; only one is allowed" in (
        "\n".join(mistakes(text))
    )


def test_a_study_needs_something_to_predict_from() -> None:
    def only_the_target(tree: Any) -> None:
        columns = tree["schema"]
        tree["schema"] = {name: columns[name] for name in ("Patient_ID", "Improvement_Score")}
        tree["roles"] = {}
        tree["serving"].pop("dropdown_keys")

    assert mistake(changed(only_the_target)) == "schema: there is no column to predict from"


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("Started", "schema has no column Started"),
        ("Age", "Age is not a date"),
        ("Ended", "Ended is counted from Ended itself"),
    ],
)
def test_a_date_is_counted_from_another_date(since: str, said: str) -> None:
    day = {"kind": "date", "since": since, "min": "2026-01-01", "max": "2026-12-31"}

    assert mistake(with_value("schema.Ended", day)).startswith(f"schema.Ended.since: {said}")


def test_the_default_grid_must_be_one_of_the_grids() -> None:
    said = mistake(with_value("tuning.grid", "huge"))

    assert said == "tuning: grid is huge, which is not one of the grids: small, full"


def test_a_family_without_values_to_try_is_told_of_each_grid_that_lacks_them() -> None:
    def lacking(tree: Any) -> None:
        tree["tuning"]["families"] = ["random_forest", "ridge", "ridge"]
        del tree["tuning"]["grids"]["full"]["ridge"]

    text = changed(lacking)

    assert mistakes(text) == [
        (
            f"params.yaml, line {line_of('  - ridge', text) + 1}: tuning.families.2: ridge is "
            "listed twice"
        ),
        (
            f"params.yaml, line {line_of('    full:', text)}: tuning.grids.full: it has no values "
            "for ridge, which is in tuning.families"
        ),
    ]
    with pytest.raises(ParamsInvalid, match="it has no values for ridge"):
        parse_params(text)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            {"family": "forest", "n_estimators": 3},
            (
                "model: unknown family forest; the families are random_forest, gradient_boosting, "
                "ridge"
            ),
        ),
        (
            {"family": "ridge", "n_estimators": 3},
            "model: alpha is missing; the family ridge needs alpha",
        ),
        (
            {"family": "ridge", "alpha": 3, "n_estimators": 3},
            "model.n_estimators: unknown key; the family ridge has family, alpha",
        ),
        ("ridge", "model: must be a mapping, such as `family: ridge`; it is the text 'ridge'"),
    ],
)
def test_a_model_that_is_of_no_family_is_told_which_there_are(model: object, said: str) -> None:
    assert any(
        one.partition(": ")[2].startswith(said) for one in mistakes(with_value("model", model))
    )


def test_what_explains_mistakes_is_not_loaded_where_there_are_none() -> None:
    told = "import sys; from clinical.params import params; params(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", told], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()

    assert "clinical.contradictions" in loaded
    assert "clinical.mistakes" not in loaded


# ---- What the decisions are ----


def test_a_grid_is_every_combination_of_its_values() -> None:
    grid = params().tuning.grids["full"]

    candidates = grid.candidates(["random_forest"])

    assert len(candidates) == len({one.model_dump_json() for one in candidates}) == 108
    assert candidates[0].model_dump() == {
        "family": "random_forest",
        "n_estimators": 100,
        "max_depth": 10,
        "min_samples_split": 2,
        "min_samples_leaf": 1,
        "max_samples": 10_000,
    }


def test_a_grid_has_candidates_of_the_families_asked_for_in_their_order() -> None:
    found = params().tuning.grids["small"].candidates(["ridge", "gradient_boosting"])

    families = [one.family for one in found]
    assert families == sorted(families, reverse=True)
    assert set(families) == {"ridge", "gradient_boosting"}


FAMILIES: dict[str, dict[str, float]] = {
    "gradient_boosting": {
        "learning_rate": 0.1,
        "max_iter": 200,
        "max_leaf_nodes": 3,
        "min_samples_leaf": 20,
        "l2_regularization": 0,
    },
    "ridge": {"alpha": 30},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_is_of_the_family_that_it_names(family: str) -> None:
    decided = parse_params(with_value("model", {"family": family, **FAMILIES[family]})).model

    assert decided.model_dump() == {"family": family, **FAMILIES[family]}


def of_forests_alone(tree: Any) -> None:
    """Write a params.yaml as it was when forests were the only family."""
    del tree["model"]["family"], tree["tuning"]["families"]
    grids = tree["tuning"]["grids"]
    tree["tuning"]["grids"] = {name: grid["random_forest"] for name, grid in grids.items()}


def test_a_file_from_when_forests_were_the_only_family_says_the_same() -> None:
    read = parse_params(changed(of_forests_alone))

    assert read.model == params().model
    for name in ("small", "full"):
        assert read.tuning.candidates(name) == params().tuning.candidates(name)


def test_a_file_from_before_max_samples_holds_forests_to_as_many_rows() -> None:
    def before(tree: Any) -> None:
        del tree["model"]["max_samples"]

    def of_all(tree: Any) -> None:
        tree["model"]["max_samples"] = None

    assert parse_params(changed(before)).model == params().model
    assert parse_params(changed(of_all)).model.model_dump()["max_samples"] is None


def test_mistakes_in_such_a_file_are_told_where_they_stand_in_it() -> None:
    def wrong(tree: Any) -> None:
        of_forests_alone(tree)
        tree["model"]["n_estimators"] = 0
        del tree["model"]["max_depth"]
        tree["tuning"]["grids"]["small"]["colour"] = ["blue"]
        tree["tuning"]["grids"]["full"]["min_samples_leaf"] = [1, "two"]

    text = changed(wrong)

    forest = "n_estimators, max_depth, min_samples_split and min_samples_leaf"
    assert [one.split(": ", 1)[1] for one in mistakes(text)] == [
        f"model: max_depth is missing; the family random_forest needs {forest}",
        "model.n_estimators: must be at least 1; it is 0",
        (
            "tuning.grids.small.colour: unknown key; random_forest has "
            f"{forest.replace(' and', ',')}, max_samples"
        ),
        ("tuning.grids.full.min_samples_leaf.1: must be a whole number; it is the text 'two'"),
    ]
    lines = [int(re.findall(r"line (\d+)", one)[0]) for one in mistakes(text)]
    assert lines[:2] == [line_of("model:", text), line_of("  n_estimators: 0", text)]
    assert lines[2:] == [line_of("      colour:", text), line_of("      - two", text)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"ethic": "Asked."}, "study.report.ethic: unknown key; report has background, "),
        ({"ethics": False}, "study.report.ethics: YAML reads this as the boolean false; put it in"),
        (
            {"ethics": "x" * 5001},
            "study.report.ethics: must have at most 5,000 characters; it has 5,001",
        ),
        ("none", "study.report: must be a mapping, such as {name: value}; it is the text"),
    ],
)
def test_what_people_state_is_text_under_keys_that_there_are(value: object, reason: str) -> None:
    (mistake,) = mistakes(with_value("study.report", value))

    assert mistake.split(": ", 1)[1].startswith(reason)


def test_params_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        params().seed = 7  # type: ignore[misc]


def test_serving_and_words_do_not_count_as_decisions_of_the_pipeline() -> None:
    def digest(text: str) -> str:
        parsed: Params = parse_params(text)
        return parsed.pipeline_digest

    assert digest(with_value("serving.refresh_seconds", 99)) == params().pipeline_digest
    assert digest(with_value("schema.Age.label", "Years")) == params().pipeline_digest
    assert digest(with_value("study.title", "Another")) == params().pipeline_digest
    assert digest(with_value("study.report", {"ethics": "Asked."})) == params().pipeline_digest
    assert digest(with_value("seed", 43)) != params().pipeline_digest
    assert digest(with_value("schema.Age.max", 80)) != params().pipeline_digest
    assert digest(with_value("gate.min_champion_rows", 31)) != params().pipeline_digest


def test_a_contract_is_what_requests_must_be() -> None:
    def digest(text: str) -> str:
        return parse_params(text).contract_digest

    assert digest(with_value("seed", 43)) == params().contract_digest
    assert digest(with_value("schema.Age.label", "Years")) == params().contract_digest
    assert digest(with_value("schema.Age.max", 80)) != params().contract_digest
    assert digest(with_value("roles.recorded_together", [])) != params().contract_digest


@pytest.mark.parametrize("folder", [".", "studies/actg175", "studies/diabetes"])
def test_what_a_build_compiles_decides_the_same(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ROOT / folder / "params.yaml"
    path = tmp_path / "params.yaml"
    path.write_bytes(source.read_bytes())
    compiled.write(path)
    monkeypatch.setenv("PARAMS_PATH", str(path))
    monkeypatch.setattr("clinical.params.read_params", None)  # nobody reads YAML

    read = params.__wrapped__()

    assert read == read_params(source)
    assert read.contract_digest == read_params(source).contract_digest
    assert read.pipeline_digest == read_params(source).pipeline_digest


def test_a_file_that_was_edited_since_it_was_compiled_is_read_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    compiled.write(path)
    path.write_text(f"{path.read_text()}\n# edited\n")
    monkeypatch.setenv("PARAMS_PATH", str(path))
    read: list[Path] = []

    def noted(path: Path) -> Params:
        read.append(path)
        return read_params(path)

    monkeypatch.setattr("clinical.params.read_params", noted)

    assert params.__wrapped__() == params()
    assert read == [path]
