"""Find, check and propose studies: `python -m local.studies check | propose | schema`.

The drug study is the project's own and has no name: its params.yaml is in the root. Every other
study is a folder in `studies/`; those in the repository have a `data.py`, which writes their data.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from clinical.errors import ParamsInvalid
from clinical.params import Params, params, read_params
from wording import counted

from local import schema
from local.cloud import ROOT, CloudFailed, install
from local.files import replace_text

NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")  # it becomes part of a stack's name
WRITTEN_SECONDS = 300


@dataclass(frozen=True)
class Study:
    """A study, by its name in `studies/`; "" for the root's.

    root: the project's folder. elsewhere: the study's folder, if it is outside the project.
    """

    name: str
    root: Path = ROOT
    elsewhere: Path | None = None

    @property
    def folder(self) -> Path:
        if self.elsewhere:
            return self.elsewhere
        return self.root / "studies" / self.name if self.name else self.root

    @property
    def told(self) -> str:
        """Its name or path, as in STUDY=."""
        return str(self.elsewhere) if self.elsewhere else self.name

    @property
    def params_path(self) -> Path:
        return self.folder / "params.yaml"

    @property
    def told_path(self) -> str:
        """The path of its params.yaml, relative to the project's folder."""
        if self.elsewhere:
            return str(self.params_path)
        return self.params_path.relative_to(self.root).as_posix()

    @property
    def number(self) -> int:
        """Its number among the studies; the root's is 1."""
        there = names(self.root)
        if not self.name:
            return 1
        return 2 + (there.index(self.name) if self.name in there else len(there))

    def params(self) -> Params:
        """Read its params.yaml; raises CloudFailed with a line for each mistake."""
        try:
            return read_params(self.params_path, self.told_path)
        except ParamsInvalid as error:
            raise CloudFailed(str(error)) from error

    def data(self) -> Path:
        """Return the data set to train on if the user names none; raises CloudFailed."""
        if not self.name:
            return self.root / "data" / "sample.csv"
        program = self.folder / "data.py"
        if not program.exists():
            raise CloudFailed(
                f"the study {self.name} has no data set of its own: name one, "
                f"`make up STUDY={self.name} DATA=path.csv`"
            )
        return self._written_by(program)

    def _written_by(self, program: Path) -> Path:
        """Run a study's data.py, in an environment of its requirements."""
        kept = self.root / ".local" / "studies" / self.name
        kept.mkdir(parents=True, exist_ok=True)
        requirements = program.with_name("requirements.txt")
        python: Path | str = sys.executable
        if requirements.exists():
            python = install(requirements, kept / "environment")
        data = kept / "data.csv"
        try:
            subprocess.run(
                [python, program, data],
                check=True,
                timeout=WRITTEN_SECONDS,
                capture_output=True,
                text=True,
            )
        except subprocess.SubprocessError as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().rpartition("\n")[-1]
            raise CloudFailed(f"studies/{self.name}/data.py failed: {said}") from error
        return data


THE_DRUG_STUDY = Study("")


def study_of(name: str | None, root: Path = ROOT) -> Study:
    """Return a study by its name, or by the path of its folder.

    Raises CloudFailed, which lists the studies, if there is none.
    """
    if not name:
        return Study("", root)
    if "/" in name and (Path(name) / "params.yaml").is_file():
        folder = Path(name).resolve()
        return Study(checked_name(folder.name), root, folder)
    there = names(root)
    if name not in there:
        have = f"it has {', '.join(there)}" if there else "it is empty"
        raise CloudFailed(
            f"there is no study {name} in studies/: {have}. `make study` proposes a new one"
        )
    return Study(checked_name(name), root)


def choose(study: Study) -> None:
    """Make this process, and all that it starts, use a study's params.yaml."""
    if study.name:
        os.environ["PARAMS_PATH"] = str(study.params_path)
        params.cache_clear()


def checked_name(name: str) -> str:
    """Return a name if it is valid for a study; otherwise raises CloudFailed."""
    if not NAME.fullmatch(name):
        raise CloudFailed(
            f"{name!r} is not a valid study name, which becomes part of a stack's name: set STUDY= "
            "to up to 20 lower-case letters, digits and hyphens, starting with a letter"
        )
    return name


def names(root: Path = ROOT) -> list[str]:
    """List all studies but the root's."""
    return sorted(found.parent.name for found in (root / "studies").glob("*/params.yaml"))


def summary(study: Study) -> str:
    """Summarise a study's params.yaml; raises CloudFailed with a line for each mistake."""
    params = study.params()
    ignored = len(params.columns) - len(params.read)
    parts = [
        counted(len(params.features), "feature"),
        f"the target {params.target.column}",
        *([f"the patient identifier {params.identifier}"] if params.identifier else []),
        *([f"{ignored} ignored"] if ignored else []),
    ]
    return f"{study.told_path}: {len(params.columns)} columns: {', '.join(parts)}."


def propose(arguments: argparse.Namespace, root: Path = ROOT) -> str:
    """Write a params.yaml for a data set, and return what to do next; raises CloudFailed."""
    from local import proposal  # noqa: PLC0415 - it reads CSVs with pandas, which takes seconds

    if not arguments.data or not arguments.target:
        raise CloudFailed("DATA= and TARGET= are required: `make study DATA=x.csv TARGET=y`")
    data = Path(arguments.data)
    study = Study(checked_name(arguments.study or name_for(data)), root)
    if study.params_path.exists():
        raise CloudFailed(
            f"{study.told_path} already exists and was not changed: choose another name with "
            "STUDY=, or delete it first"
        )
    try:
        body = data.read_bytes()
    except OSError as error:
        raise CloudFailed(f"{data} cannot be read: {error.strerror}") from error
    asked = proposal.Asked(arguments.target, arguments.identifier, study.name)
    asked = proposal.resolved(data.name, body, asked)
    text = proposal.proposal(data.name, body, asked, Study("", root).params_path.read_text("utf-8"))
    study.folder.mkdir(parents=True, exist_ok=True)
    replace_text(study.params_path, text)
    checks = text.count("CHECK:")
    return (
        f"{summary(study)}\nThis is a proposal: review it, above all the "
        f"{counted(checks, 'line')} marked CHECK. Then run:\n"
        f"  make up STUDY={study.name} DATA={shlex.quote(str(data))}"
    )


def write_schema(root: Path = ROOT) -> str:
    """Write the JSON Schema of params.yaml, and return a message."""
    (root / schema.NAME).write_text(schema.params_schema(), encoding="utf-8")
    return f"Wrote {schema.NAME}."


def name_for(data: Path) -> str:
    """Derive a study's name from its data set's file."""
    plain = unicodedata.normalize("NFKD", data.stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:20].rstrip("-")


def main() -> int:
    """Run one command, and return its exit code; mistakes print a sentence, no trace."""
    arguments = _parser().parse_args()
    try:
        match arguments.command:
            case "check":
                told = summary(study_of(arguments.study))
            case "propose":
                told = propose(arguments)
            case _:
                told = write_schema()
        print(told)  # noqa: T201 - the output
    except CloudFailed as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.studies", description=__doc__)
    parser.add_argument("command", choices=["check", "propose", "schema"])
    parser.add_argument("--data", default=os.environ.get("DATA") or None)
    parser.add_argument("--target", default=os.environ.get("TARGET") or None)
    parser.add_argument("--identifier", default=os.environ.get("ID") or None)
    parser.add_argument("--study", default=os.environ.get("STUDY") or None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
