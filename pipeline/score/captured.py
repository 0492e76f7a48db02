"""The predictions for a part's rows: columns in captures/scored/<execution>/<number>.npz.

The file contains no patient's id, and only rows with a score. Rows are in blocks, in their order,
so that only one block is in memory. A block has a code per row and feature; the header, which is
written last, has the values of the codes. Equal predictions give equal bytes.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Self

import numpy as np
from clinical.captured import ID_BYTES, Captured
from clinical.kinds import Value
from clinical.recorded import Names
from columns import Codes, Which

from score.marker import Marker, PartPredictions, marker_in

__all__ = ["Marker", "PartPredictions", "Predictions", "captured_in", "marker_in"]

type Array = np.ndarray[Any, Any]
type Figures = np.ndarray[tuple[int], np.dtype[np.float64]]
type Ids = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

HEADER = "header"  # in the file: the features' names and values, and what was averaged over
AT_ONCE = 1_000  # ids that are drawn from one place on
BLOCK = "{:05}/{}"
COLUMNS = ("ids", "score", "low", "high", "averaged")  # of a block, beside its features


def captured_in(body: bytes, marker: Marker) -> Iterator[Captured]:
    """Read the predictions of one part, in the order of its rows.

    body: of the file, whose digest was checked.
    """
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        header = json.loads(arrays[HEADER].tobytes())
        features, averaged = header["features"], list(map(tuple, header["averaged"]))
        for block in range(header["blocks"]):
            ids, scores, lows, highs, over = (arrays[BLOCK.format(block, one)] for one in COLUMNS)
            said = (
                meant(arrays[BLOCK.format(block, place)], values)
                for place, values in enumerate(features.values())
            )
            rows = zip(
                *(hex_ids(ids), zip(*said, strict=True), meant(over, averaged)),
                *(figures.tolist() for figures in (scores, lows, highs)),
                strict=True,
            )
            for prediction_id, row, names, score, low, high in rows:
                yield Captured(
                    prediction_id=prediction_id,
                    predicted_at=marker.scored_at,
                    source="score",
                    model_version=marker.model_version,
                    features=dict(zip(features, row, strict=True)),
                    score=score,
                    low=low,
                    high=high,
                    coverage=marker.coverage,
                    averaged_over=names,
                )


def meant[Said](codes: Codes, distinct: Sequence[Said]) -> list[Said]:
    """Return the values of the codes of rows (n,)."""
    return [distinct[code] for code in codes.tolist()]


def hex_ids(ids: Ids) -> list[str]:
    """Format ids (n, 16) as in answers: 32 hexadecimal digits each."""
    together, size = ids.tobytes().hex(), 2 * ID_BYTES
    return [together[start : start + size] for start in range(0, len(together), size)]


def ids_drawn(seed: str, part: int, first: int, rows: int) -> Ids:
    """Draw the ids of some rows of a part: 128 bits each (rows, 16).

    first: the number of earlier rows in the part.

    They are random and made by the server: SHAKE-256 of a seed of 128 random bits, which `split`
    draws once per execution, and of the place in the file, with 16 bytes per row. They do not
    depend on a row's content. A part that is written again after a fault has the same ids.
    """
    places = range(first // AT_ONCE, -(-(first + rows) // AT_ONCE))
    drawn = b"".join(
        hashlib.shake_256(f"{seed}/{part}/{place}".encode()).digest(ID_BYTES * AT_ONCE)
        for place in places
    )
    start = first - places.start * AT_ONCE
    return np.frombuffer(drawn, np.uint8).reshape(-1, ID_BYTES)[start : start + rows]


class Predictions:
    """Assigns ids to the predictions of a part, and writes them to a file, some rows at a time.

    Close it before the file; without a call of `end` before that, the file is unusable.

    out: the file. features: their names, in the model's order. seed, part: determine the ids.
    """

    def __init__(self, out: IO[bytes], features: Iterable[str], seed: str, part: int) -> None:
        self._file = zipfile.ZipFile(out, "w", zipfile.ZIP_STORED)
        self._there: dict[str, Which] = {name: np.zeros(0, np.bool_) for name in features}
        self._averaged: dict[Names, int] = {}
        self._seed, self._part = seed, part
        self._blocks = self.number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def ids(self, first: int, rows: int) -> Ids:
        """Return the ids of some rows of the part, with or without a score."""
        return ids_drawn(self._seed, self._part, first, rows)

    def enter(
        self,
        ids: Ids,
        codes: Mapping[str, Codes],
        figures: Sequence[Figures],
        averaged: Sequence[Names],
    ) -> None:
        """Add rows (n,), all of which have a score.

        codes: by feature, the index of each row's value among the distinct ones. figures: scores,
        and the ends of their intervals. averaged: the columns that each is averaged over.
        """
        if not len(ids):
            return
        for place, (name, there) in enumerate(self._there.items()):
            most = int(codes[name].max())
            if most >= len(there):
                self._there[name] = np.zeros(2 * most + 1, np.bool_)
                self._there[name][: len(there)] = there
            self._there[name][codes[name]] = True
            self._add(place, codes[name].astype(np.min_scalar_type(most)))
        for names in dict.fromkeys(averaged):
            self._averaged.setdefault(names, len(self._averaged))
        over = np.fromiter(map(self._averaged.__getitem__, averaged), np.uint8, len(averaged))
        columns: tuple[Array, ...] = (ids, *figures, over)
        for column, values in zip(COLUMNS, columns, strict=True):
            self._add(column, values)
        self._blocks += 1
        self.number += len(ids)

    def end(self, values: Callable[[str], Sequence[Value]]) -> None:
        """Write the values of the codes, and finish the file.

        values: returns a feature's distinct values, of which only those in use are written.
        """
        header = {
            "blocks": self._blocks,
            "features": {
                name: [
                    value if is_there else None
                    for value, is_there in zip(values(name), there.tolist(), strict=False)
                ]
                for name, there in self._there.items()
            },
            "averaged": list(self._averaged),
        }
        body = np.frombuffer(json.dumps(header).encode(), np.uint8)
        self._write(HEADER, body)
        self._file.close()

    def _add(self, column: str | int, values: Array) -> None:
        self._write(BLOCK.format(self._blocks, column), values)

    def _write(self, name: str, values: Array) -> None:
        # Without a timestamp, the same rows give the same bytes.
        entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
        with self._file.open(entry, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, values, allow_pickle=False)
