"""`make bench-growth`: how each stage's time, memory and artefacts grow with the rows.

Each stage runs by its handler in a process of its own, on buckets that are folders, and gets what
the state machine would hand it. The results go to docs/explanation/growth.md and growth.svg. All
sizes take a core about a quarter of an hour, and 2 GB of memory besides the largest stage's.
"""

import argparse
import inspect
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

import joblib
from clinical.params import params
from clinical.verdict import Verdict
from retrain.encoding import table_of
from threadpoolctl import threadpool_limits

from bench.alone import Job, Taken, in_a_process
from bench.bulk import MILLION, by_scikit_learn, cpu_seconds
from bench.markdown import table
from bench.prices import lambda_usd, memory_of, prices
from bench.small_multiples import Group, Plot, drawn
from data.generate import CEILING_R2, NOISE, as_csv, patients
from tests import pipeline
from tests.pipeline import State, own_environment, rows_of

DOCS = Path(__file__).parent.parent / "docs/explanation"
ROWS = (1_000, 10_000, 100_000, 1_000_000)
SEED, SEED_OF_SCORED = 2026, 5
SPARE = 0.3  # of a function's memory should stay free: data sets have wider rows than these
MB = 1024 * 1024
NOISE_FLOOR = math.sqrt(NOISE**2 + 0.1**2 / 12)  # scores are rounded to one decimal

RETRAINING = (
    "ingest",
    "validate",
    "extract_combinations",
    "preprocess",
    "train",
    "evaluate",
    "learning_curve",
    "publish",
)
LEFT_OUT = ("admit", "replay", "promote", "annotate")
SCORING = ("split", "score_part", "summarise")
# The states that a run enters which ends in a promotion; each is a transition that is paid for.
RETRAIN_STATES = (
    *("Admit", "Admitted", "Ingest", "Validate", "Prepare", "Preprocess", "ExtractCombinations"),
    *("Prepared", "Release", "Wanted", "Train", "Evaluate", "Replay", "Gate", "Publish"),
    *("Published", "Promote", "Concluded", "Measurable", "LearningCurve", "Released"),
    *("Annotate", "Ended", "Document", "Served"),
)
SCORE_STATES = ("Split", "Divided", "ScoreParts", "Summarise", "Scored")  # and one a part
ARTEFACTS = {
    "dataset.npz": "validate",
    "training.npz": "preprocess",
    "training_rows.json": "preprocess",
    "model.joblib": "train",
    "model.onnx": "train",
    "reference.json": "train",
}

type Runner = Callable[[Job], Taken]


@dataclass
class Stopwatch:
    """Runs stages for `tests.pipeline`, and keeps what each took."""

    folder: Path
    run: Runner
    taken: dict[str, list[Taken]] = field(default_factory=dict)

    def __call__(self, handler: Callable[..., State], execution: str, inputs: State) -> State:
        function = inspect.unwrap(handler)
        job = Job(
            handler=f"{function.__module__}.{function.__name__}",
            event={"execution": execution, **inputs},
            folder=self.folder,
        )
        taken = self.run(job)
        self.taken.setdefault(job.handler, []).append(taken)
        print(
            f"{function.__name__:22}{taken.cpu:9.2f} s CPU{taken.wall:9.2f} s wall"
            f"{taken.peak / MB:8,.0f} MB",
            file=sys.stderr,
            flush=True,
        )
        return taken.output


@dataclass(frozen=True)
class Growth:
    """What was found with so many rows.

    taken: by handler; a part of a file is an invocation of its own. written: bytes by artefact.
    scikit_learn: CPU seconds that its own predict takes for as many rows.
    """

    rows: int
    taken: dict[str, list[Taken]]
    written: dict[str, int]
    verdict: Verdict
    scikit_learn: float

    def megabytes(self, artefact: str) -> float:
        return self.written[artefact] / 1e6

    def of(self, stage: str) -> list[Taken]:
        """Give the invocations of a stage."""
        return next(one for handler, one in self.taken.items() if handler.endswith(f".{stage}"))

    def cpu(self, stage: str) -> float:
        return sum(one.cpu for one in self.of(stage))

    def peak(self, stage: str) -> float:
        """Tell the most memory of any invocation of a stage, in MB."""
        return max(one.peak for one in self.of(stage)) / MB

    def spare(self, stage: str) -> float:
        """Tell which fraction of its function's memory a stage leaves."""
        return 1 - self.peak(stage) / memory(stage)

    @property
    def parts(self) -> int:
        return len(self.of("score_part"))

    def usd(self, machine: str) -> float:
        """Price an execution of a state machine, `retrain` or `score`."""
        of = prices()
        states = len(RETRAIN_STATES) if machine == "retrain" else len(SCORE_STATES) + self.parts
        total = states * of["state_transition"]
        for handler, invocations in self.taken.items():
            if handler.startswith(f"{machine}."):
                for one in invocations:
                    total += lambda_usd(one.start + one.cpu, memory_of(handler))
                    total += one.reads * of["s3_read"] + one.writes * of["s3_write"]
        return total


def memory(stage: str) -> int:
    """Tell the MB of a stage's function."""
    machine = "score" if stage in SCORING else "retrain"
    return memory_of(f"{machine}.stages.{stage}.{stage}")


def growth(rows: int, run: Runner) -> Growth:
    """Retrain on so many made-up patients, and score as many others."""
    with tempfile.TemporaryDirectory(prefix="growth-") as made, own_environment():
        folder = Path(made)
        stopwatch = Stopwatch(folder, run)
        upload(folder, "raw/rows.csv", as_csv(patients(rows, SEED)))
        upload(folder, "score/in/rows.csv", as_csv(patients(rows, SEED_OF_SCORED)))
        # Its functions hand stages what the state machines would.
        with mock.patch.object(pipeline, "ran", stopwatch):
            came_to = pipeline.retrain("execution", {"raw": {"key": "raw/rows.csv"}})
            pipeline.measure("execution", came_to)
            pipeline.score("execution", {"score": "score/in/rows.csv"})
        run_folder = folder / "artifacts/runs/execution"
        model = joblib.load(run_folder / "train/model.joblib")
        text = (folder / "raw/score/in/rows.csv").read_text()
        asked = table_of(rows_of(text, params()))
        with threadpool_limits(1):
            scikit_learn = cpu_seconds(lambda: by_scikit_learn(model, asked), tries=1)
        return Growth(
            rows=rows,
            taken=stopwatch.taken,
            written={
                name: (run_folder / stage / name).stat().st_size
                for name, stage in ARTEFACTS.items()
            },
            verdict=Verdict.model_validate(came_to["evaluated"]["verdict"]),
            scikit_learn=scikit_learn,
        )


def upload(folder: Path, key: str, text: str) -> None:
    path = folder / "raw" / key
    path.parent.mkdir(parents=True)
    path.write_text(text)


def warnings(found: Sequence[Growth]) -> Iterator[str]:
    """Say which functions have too little memory to spare, and at which size."""
    for one in found:
        for stage in (*RETRAINING, *SCORING):
            if one.spare(stage) < SPARE:
                yield (
                    f"{stage} took {one.peak(stage):,.0f} MB of its function's {memory(stage):,} "
                    f"with {one.rows:,} rows: less than {SPARE:.0%} is to spare"
                )


def document(found: Sequence[Growth]) -> Iterator[str]:
    """Write all tables as Markdown."""
    sizes = tuple(f"{one.rows:,} rows" for one in found)
    most = found[-1]
    brief = max(one.cpu(stage) for one in found for stage in LEFT_OUT)
    small = max(one.peak(stage) for one in found for stage in LEFT_OUT)
    yield "# How the stages grow with the rows\n"
    yield (
        "For platform teams who plan memory and cost: what each stage takes as data sets grow. "
        "`make bench-growth` writes this page. Each stage ran through its handler in a process of "
        f"its own, on synthetic patients (`data/generate.py`, seed {SEED}), with the `params.yaml` "
        "of the drug study, on folders in place of buckets. `admit`, `replay` (which has no "
        "captures here), `promote` and `annotate` are left out, because none takes more than "
        f"{brief:.1f} CPU seconds or {small:,.0f} MB; the price of a run includes them.\n"
    )
    yield (
        "![Small plots of CPU seconds, peak memory and artefacts over the rows, on logarithmic "
        "axes, each beside linear growth](growth.svg)\n"
    )
    yield "## CPU seconds\n"
    yield (
        "CPU seconds of the handler, summed over all cores and over the parts of a file. The last "
        "column is what a cold start adds: the interpreter and all imports.\n"
    )
    yield from table(
        ("stage", *sizes, "cold start"),
        *(
            (
                f"`{stage}`",
                *(_digits(one.cpu(stage)) for one in found),
                _digits(most.of(stage)[0].start),
            )
            for stage in (*RETRAINING, *SCORING)
        ),
    )
    yield "## Peak memory\n"
    yield (
        f"In MB, beside the function's `MemorySize`, of which at least {SPARE:.0%} should be spare "
        f"with {most.rows:,} rows. For a file, the largest part counts.\n"
    )
    yield from table(
        ("stage", *sizes, "`MemorySize`", "to spare"),
        *(
            (
                f"`{stage}`",
                *(f"{one.peak(stage):,.0f}" for one in found),
                f"{memory(stage):,}",
                f"{most.spare(stage):.0%}",
            )
            for stage in (*RETRAINING, *SCORING)
        ),
    )
    yield from (f"**Warning**: {one}.\n" for one in warnings(found))
    yield "## Artefacts\n"
    yield "In MB, as stored in S3.\n"
    yield from table(
        ("artefact", *sizes),
        *((f"`{name}`", *(_digits(one.megabytes(name)) for one in found)) for name in ARTEFACTS),
    )
    yield "## A run of retraining\n"
    yield (
        f"The noise in these data has an RMSE of {NOISE_FLOOR:.4f}, which no model can be expected "
        f"to beat; an R² of {CEILING_R2:.3f} corresponds to it. Parity is the largest difference "
        "between ONNX Runtime and scikit-learn on any held-out row.\n"
    )
    yield from table(
        (
            "rows",
            "CPU seconds, with starts",
            "USD",
            "held-out RMSE",
            "above the noise",
            "parity",
            "decision",
        ),
        *((f"{one.rows:,}", *_run(one)) for one in found),
    )
    yield "## Scoring a file\n"
    yield (
        "Other patients, from a CSV to the scored parts. The price includes cold starts; the CPU "
        "seconds do not. For comparison: scikit-learn's `predict` alone, with the same model and a "
        "DataFrame in memory, which reads, checks and writes nothing and has no intervals.\n"
    )
    yield from table(
        (
            "rows",
            "parts",
            "CPU seconds",
            "rows a CPU second",
            "rows a CPU second, scikit-learn alone",
            "USD",
            "USD a million rows",
        ),
        *((f"{one.rows:,}", *_scoring(one)) for one in found),
    )
    yield "## What is assumed\n"
    yield (
        "Prices are AWS's list prices in `bench/prices.json`, without free tier. A function is "
        "assumed to take the CPU seconds that it took here, on a single CPU, of which it has the "
        "share `MemorySize`/1769 and at most the whole; to start cold each time, which is billed; "
        "and to lose no time waiting for S3. The price covers Lambda's time and requests, requests "
        f"to S3, and state transitions: {len(RETRAIN_STATES)} for a retrain, {len(SCORE_STATES)} "
        "plus one for each part to score a file. It leaves out storage in S3, logs and traces.\n"
    )


def _run(one: Growth) -> Iterator[str]:
    invocations = [
        invocation
        for handler, taken in one.taken.items()
        if handler.startswith("retrain.")
        for invocation in taken
    ]
    rmse = one.verdict.candidate.rmse.value
    yield _digits(sum(invocation.start + invocation.cpu for invocation in invocations))
    yield f"{one.usd('retrain'):.4f}"
    yield f"{rmse:.4f}"
    yield f"{rmse / NOISE_FLOOR - 1:+.1%}"
    yield f"{one.verdict.parity.max_error:.1g}"
    yield f"`{one.verdict.decision}`"


def _scoring(one: Growth) -> Iterator[str]:
    cpu = sum(map(one.cpu, SCORING))
    usd = one.usd("score")
    yield str(one.parts)
    yield _digits(cpu)
    yield f"{one.rows / cpu:,.0f}"
    yield f"{one.rows / one.scikit_learn:,.0f}"
    yield f"{usd:.4f}"
    yield f"{usd / one.rows * MILLION:.4f}"


def _digits(value: float) -> str:
    """Write what may be large or small in three digits, or all that are before the point."""
    decimals = max(0, 2 - math.floor(math.log10(value))) if value else 0
    return f"{value:,.{min(decimals, 3)}f}"


def plots(found: Sequence[Growth]) -> Iterator[Group]:
    """Group what was found into plots."""

    def plot(name: str, value: Callable[[Growth], float], limit: float | None = None) -> Plot:
        return Plot(name, {one.rows: value(one) for one in found}, limit)

    stages = (*RETRAINING, *SCORING)
    yield Group(
        "CPU seconds",
        "CPU seconds",
        [
            *(plot(stage, partial(Growth.cpu, stage=stage)) for stage in stages),
            plot("predict of scikit-learn", lambda one: one.scikit_learn),
        ],
    )
    yield Group(
        "Peak memory; the limit is the function's MemorySize",
        "MB",
        [plot(stage, partial(Growth.peak, stage=stage), memory(stage)) for stage in stages],
    )
    yield Group(
        "Artefacts",
        "MB",
        [plot(name, partial(Growth.megabytes, artefact=name)) for name in ARTEFACTS],
    )


def write(found: Sequence[Growth], out: Path) -> None:
    """Write the document and its drawing into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "growth.md").write_text("\n".join(document(found)).rstrip() + "\n")
    says = "CPU seconds, peak memory and artefacts of each stage over the rows"
    (out / "growth.svg").write_text(drawn(tuple(plots(found)), says) + "\n")


def main() -> None:
    """Measure size by size, and write what is known after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args()
    found: list[Growth] = []
    for rows in sorted(given.rows):
        print(f"{rows:,} rows", file=sys.stderr, flush=True)
        found.append(growth(rows, in_a_process))
        write(found, given.out)
    print((given.out / "growth.md").read_text())
    for one in warnings(found):
        print(f"WARNING: {one}", file=sys.stderr)


if __name__ == "__main__":
    main()
