"""Find a study's files, check and propose them: `python -m local.studies check | propose | schema`.

The drug study is the project's own and has no name: its params.yaml is the root's. Any other is a
folder under `studies/`; one that is shipped has a `data.py`, which writes its data set.
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

from local import schema
from local.cloud import ROOT, CloudFailed, install

NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")  # it becomes part of the name of a stack
WRITTEN_SECONDS = 300


@dataclass(frozen=True)
class Study:
    """A study, by its name under `studies/`; "" for the root's.

    root: the project's folder. elsewhere: the study's own, where that is not in the project.
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
        """Name it as STUDY= does."""
        return str(self.elsewhere) if self.elsewhere else self.name

    @property
    def params_path(self) -> Path:
        return self.folder / "params.yaml"

    @property
    def told_path(self) -> str:
        """Name its params.yaml, as seen from the project's folder."""
        if self.elsewhere:
            return str(self.params_path)
        return self.params_path.relative_to(self.root).as_posix()

    @property
    def number(self) -> int:
        """Count the studies: the root's is the first."""
        there = names(self.root)
        if not self.name:
            return 1
        return 2 + (there.index(self.name) if self.name in there else len(there))

    def params(self) -> Params:
        """Read its decisions; raises CloudFailed, which names every mistake in a line."""
        try:
            return read_params(self.params_path, self.told_path)
        except ParamsInvalid as error:
            raise CloudFailed(str(error)) from error

    def data(self) -> Path:
        """Give the data set to train on where the user names none; raises CloudFailed."""
        if not self.name:
            return self.root / "data" / "sample.csv"
        program = self.folder / "data.py"
        if not program.exists():
            raise CloudFailed(
                f"the study {self.name} brings no data: say where they are, "
                f"`make up STUDY={self.name} DATA=path.csv`"
            )
        return self._written_by(program)

    def _written_by(self, program: Path) -> Path:
        """Have a shipped study write its data set, with what its requirements bring."""
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
    """Find a study by its name, or by the path of its folder.

    Raises CloudFailed, which says which there are.
    """
    if not name:
        return Study("", root)
    if "/" in name and (Path(name) / "params.yaml").is_file():
        folder = Path(name).resolve()
        return Study(checked_name(folder.name), root, folder)
    there = names(root)
    if name not in there:
        have = f"there are {', '.join(there)}" if there else "there is none yet"
        raise CloudFailed(
            f"there is no study {name} in studies/: {have}; `make study` proposes one"
        )
    return Study(checked_name(name), root)


def choose(study: Study) -> None:
    """Have this process, and all that it starts, go by the decisions of a study."""
    if study.name:
        os.environ["PARAMS_PATH"] = str(study.params_path)
        params.cache_clear()


def checked_name(name: str) -> str:
    """Give a name that a study may have; raises CloudFailed for another."""
    if not NAME.fullmatch(name):
        raise CloudFailed(
            f"{name!r} cannot be a study's name, which becomes part of a stack's: up to 20 "
            "lower-case letters, digits and hyphens, the first one a letter; say STUDY=name"
        )
    return name


def names(root: Path = ROOT) -> list[str]:
    """List the studies there are, beside the root's."""
    return sorted(found.parent.name for found in (root / "studies").glob("*/params.yaml"))


def summary(study: Study) -> str:
    """Say what a study's params.yaml decides; raises CloudFailed, which names every mistake."""
    params = study.params()
    ignored = len(params.columns) - len(params.read)
    parts = [
        f"{len(params.features)} of them features",
        f"{params.target.column} is predicted",
        *([f"{params.identifier} names a patient"] if params.identifier else []),
        *([f"{ignored} ignored"] if ignored else []),
    ]
    return f"{study.told_path}: {len(params.columns)} columns, {', '.join(parts)}."


def propose(arguments: argparse.Namespace, root: Path = ROOT) -> str:
    """Write a params.yaml for a data set, and say what comes next; raises CloudFailed."""
    from local import proposal  # noqa: PLC0415 - it reads CSVs with pandas, which takes seconds

    if not arguments.data or not arguments.target:
        raise CloudFailed("say what to predict from which data: `make study DATA=x.csv TARGET=y`")
    data = Path(arguments.data)
    study = Study(checked_name(arguments.study or name_for(data)), root)
    if study.params_path.exists():
        raise CloudFailed(
            f"{study.told_path} is there already and stays as it is; say STUDY=name for another, "
            "or delete it first"
        )
    try:
        body = data.read_bytes()
    except OSError as error:
        raise CloudFailed(f"{data} cannot be read: {error.strerror}") from error
    asked = proposal.Asked(arguments.target, arguments.identifier, study.name)
    asked = proposal.resolved(data.name, body, asked)
    text = proposal.proposal(data.name, body, asked, Study("", root).params_path.read_text("utf-8"))
    study.folder.mkdir(parents=True, exist_ok=True)
    study.params_path.write_text(text, encoding="utf-8")
    checks = text.count("CHECK:")
    return (
        f"{summary(study)}\nIt is a proposal: read it, {checks} lines of it say CHECK. Then:\n"
        f"  make up STUDY={study.name} DATA={shlex.quote(str(data))}"
    )


def write_schema(root: Path = ROOT) -> str:
    """Write the JSON Schema of params.yaml, and say where."""
    (root / schema.NAME).write_text(schema.params_schema(), encoding="utf-8")
    return f"{schema.NAME} is written."


def name_for(data: Path) -> str:
    """Name a study by its data set's file, as far as that can be a name."""
    plain = unicodedata.normalize("NFKD", data.stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:20].rstrip("-")


def main() -> int:
    """Run one command, and return its exit code; a mistake is a sentence, no trace."""
    arguments = _parser().parse_args()
    try:
        match arguments.command:
            case "check":
                told = summary(study_of(arguments.study))
            case "propose":
                told = propose(arguments)
            case _:
                told = write_schema()
        print(told)  # noqa: T201 - what was asked for
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
