import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.cloud import ROOT, CloudFailed
from local.studies import Study, checked_name, name_for, names, propose, study_of, summary


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a study of a user's, called trial."""
    folder = tmp_path / "studies" / "trial"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copy(ROOT / "params.yaml", folder)
    return tmp_path


def test_the_study_without_a_name_is_the_projects_own(project: Path) -> None:
    study = study_of(None, project)

    assert study == study_of("", project) == Study("", project)
    assert study.params_path == project / "params.yaml"
    assert study.data() == project / "data" / "sample.csv"


def test_a_study_with_a_name_is_a_folder(project: Path) -> None:
    study = study_of("trial", project)

    assert study.name == "trial"
    assert study.params_path == project / "studies" / "trial" / "params.yaml"


def test_an_unknown_study_is_told_which_there_are(project: Path) -> None:
    with pytest.raises(CloudFailed, match=r"no study trail in studies/: it has trial\. `make st"):
        study_of("trail", project)
    with pytest.raises(CloudFailed, match="it is empty"):
        study_of("trial", project / "data")
    with pytest.raises(CloudFailed, match=r"no study \.\./\.\. in"):
        study_of("../..", project)


@pytest.mark.parametrize("name", ["Trial", "1st", "a_b", "a" * 21, "-a", "ä", "a/b", "a\n"])
def test_a_name_must_fit_a_stacks(name: str) -> None:
    with pytest.raises(CloudFailed, match="lower-case letters, digits and hyphens"):
        checked_name(name)


def test_a_folder_whose_name_fits_no_stack_is_refused(project: Path) -> None:
    (project / "studies" / "trial").rename(project / "studies" / "Trial")

    with pytest.raises(CloudFailed, match="is not a valid study name"):
        study_of("Trial", project)


def test_a_users_own_study_asks_for_its_data(project: Path) -> None:
    with pytest.raises(CloudFailed, match=r"`make up STUDY=trial DATA=path\.csv`"):
        study_of("trial", project).data()


def test_a_shipped_study_writes_its_data(project: Path) -> None:
    program = project / "studies" / "trial" / "data.py"
    program.write_text("import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('a,b\\n')")

    data = study_of("trial", project).data()

    assert data == project / ".local" / "studies" / "trial" / "data.csv"
    assert data.read_text() == "a,b\n"


def test_a_program_that_fails_is_told_with_its_last_line(project: Path) -> None:
    (project / "studies" / "trial" / "data.py").write_text("raise SystemExit('no wheel')")

    with pytest.raises(CloudFailed, match=r"studies/trial/data\.py failed: no wheel"):
        study_of("trial", project).data()


def test_a_summary_counts_the_columns(project: Path) -> None:
    assert summary(study_of("trial", project)) == (
        "studies/trial/params.yaml: 9 columns: 7 features, the target Improvement_Score, the "
        "patient identifier Patient_ID."
    )


def test_mistakes_are_named_in_the_studys_own_file(project: Path) -> None:
    study = study_of("trial", project)
    study.params_path.write_text("seed: 42\nseed: 43\n")

    with pytest.raises(CloudFailed) as refused:
        study.params()

    assert "studies/trial/params.yaml, line 2: seed: duplicate key" in str(refused.value)


@pytest.mark.parametrize("name", ["", *names()])
def test_every_study_of_the_project_is_one(name: str) -> None:
    assert study_of(name).params().features


def test_the_shipped_studies_are_there() -> None:
    assert {"actg175", "diabetes"} <= set(names())


@pytest.mark.parametrize(("study", "code"), [("diabetes", 0), ("diabetis", 1)])
def test_the_command_exits_with_one_where_something_is_wrong(study: str, code: int) -> None:
    command = [sys.executable, "-m", "local.studies", "check", "--study", study]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == code
    assert ("11 columns" in done.stdout) == (code == 0)
    assert ("it has actg175, diabetes" in done.stderr) == (code == 1)


# ---- make study ----

CSV = "id,sex,score\n" + "".join(f"p{row},{'fm'[row % 2]},{row % 7}\n" for row in range(60))


def asked(data: Path | str | None, **said: str) -> argparse.Namespace:
    return argparse.Namespace(
        data=data and str(data),
        target=said.get("target", "score"),
        identifier=said.get("identifier"),
        study=said.get("study"),
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "My trial (2).csv"
    path.write_text(CSV)
    return path


def test_a_proposal_is_written_under_the_files_name_and_tells_what_comes_next(
    project: Path, data: Path
) -> None:
    said = propose(asked(data), project)

    assert study_of("my-trial-2", project).params().identifier == "id"
    assert said.startswith("studies/my-trial-2/params.yaml: 3 columns: 1 feature, ")
    assert said.endswith(f"  make up STUDY=my-trial-2 DATA='{data}'")


def test_what_is_there_is_never_written_over(project: Path, data: Path) -> None:
    before = (project / "studies" / "trial" / "params.yaml").read_text()

    with pytest.raises(CloudFailed, match=r"studies/trial/params\.yaml already exists"):
        propose(asked(data, study="trial"), project)

    assert (project / "studies" / "trial" / "params.yaml").read_text() == before


@pytest.mark.parametrize(
    ("file", "said", "sentence"),
    [
        (None, {}, "`make study DATA=x.csv TARGET=y`"),
        ("one.csv", {"target": ""}, "`make study DATA=x.csv TARGET=y`"),
        ("one.csv", {}, "one.csv cannot be read: No such file"),
        ("2026.csv", {}, "'2026' is not a valid study name"),
        ("試験.csv", {}, "'' is not a valid study name"),
        ("one.csv", {"study": "One"}, "'One' is not a valid study name"),
    ],
)
def test_what_cannot_be_proposed_is_a_sentence(
    project: Path, file: str | None, said: dict[str, str], sentence: str
) -> None:
    with pytest.raises(CloudFailed, match=re.escape(sentence)):
        propose(asked(file, **said), project)

    assert names(project) == ["trial"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("trial.csv", "trial"),
        ("Größe & Maß.CSV", "groe-ma"),
        ("a_very_long_name-of-a-file.csv", "a-very-long-name-of"),
        ("ÉTUDE.tsv", "etude"),
    ],
)
def test_a_study_is_called_after_its_file(file: str, name: str) -> None:
    assert name_for(Path(file)) == name
