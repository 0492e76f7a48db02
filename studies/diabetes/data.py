"""Write the diabetes study's data set, which comes with scikit-learn.

`python studies/diabetes/data.py data.csv`; `make up STUDY=diabetes` runs this.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

TARGET = "progression"  # scikit-learn has no name for it

type Row = list[str]


def rows() -> Iterator[Row]:
    """Yield the header and 442 patients, in real units with the rounding errors of float64."""
    from sklearn.datasets import load_diabetes  # noqa: PLC0415 - it takes a second

    data = load_diabetes(scaled=False)
    yield [*data.feature_names, TARGET]
    for features, progression in zip(data.data, data.target, strict=True):
        yield [written(number) for number in (*features, progression)]


def written(number: float) -> str:
    """Write a measurement with its decimals, of which there are at most four."""
    return f"{number:.4f}".rstrip("0").rstrip(".")


def main(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
