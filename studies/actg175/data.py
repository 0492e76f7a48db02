"""Write the ACTG 175 study's data set, from the lifelines wheel that requirements.txt pins.

`python studies/actg175/data.py data.csv` needs an environment with the wheel, which
`make up STUDY=actg175` creates. Only a file of the wheel is read: lifelines itself, which has many
dependencies, is not imported.
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

# The meanings of the source's codes, except 0 and 1 for no and yes.
WORDS = {
    "race": {"0": "White", "1": "Non-white"},
    "gender": {"0": "Female", "1": "Male"},
    "str2": {"0": "Naive", "1": "Experienced"},
    "strat": {"1": "Naive", "2": "1 to 52 weeks", "3": "More than 52 weeks"},
    "arms": {
        "0": "Zidovudine",
        "1": "Zidovudine + didanosine",
        "2": "Zidovudine + zalcitabine",
        "3": "Didanosine",
    },
}
ROW_NUMBER = ""  # the name of the first column, which R wrote

type Row = dict[str, str]


def source() -> Path:
    """Find the file in the installed wheel."""
    wheel = find_spec("lifelines")
    if wheel is None or wheel.origin is None:
        raise SystemExit("lifelines is not installed: see requirements.txt")
    return Path(wheel.origin).parent / "datasets" / "ACTG175.csv"


def in_words(rows: Iterable[Row]) -> Iterator[Row]:
    """Replace codes by words, and leave out the row number."""
    for row in rows:
        yield {
            name: WORDS[name][cell] if name in WORDS else cell
            for name, cell in row.items()
            if name != ROW_NUMBER
        }


def main(path: Path) -> None:
    with source().open(encoding="utf-8", newline="") as file:
        rows = list(in_words(csv.DictReader(file)))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
