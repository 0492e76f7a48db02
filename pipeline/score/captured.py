"""What was predicted for the rows of a file, as `capture` takes it up: columns, and nobody's id.

captures/scored/<execution>.json          which parts a file came to, sealed; written once
runs/<execution>/score_part/<number>.npz  what was predicted for the rows of one

A file of predictions has them in blocks, as they came up, so that no more than one is ever in
memory. A block holds of every feature a code a row; the header, which is written last, what each
code stands for. Equal predictions are equal bytes.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import IO, Any

import numpy as np
from clinical.artefacts import Artefact, unsealed_json
from clinical.captured import ID_BYTES, Captured
from clinical.errors import ArtefactCorrupted
from clinical.frozen import Frozen
from clinical.kinds import Value
from clinical.recorded import Names
from columns import Codes, Which
from pydantic import ValidationError

type Array = np.ndarray[Any, Any]
type Ids = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

HEADER = "header"  # in the file: the features' names and values, and what was averaged over
BLOCK = "{:05}/{}"
COLUMNS = ("ids", "score", "low", "high", "averaged")  # of a block, beside its features


class PartPredictions(Artefact):
    """Where the predictions of a part lie, and how many they are; there is one at least."""

    number: int
    predictions: int


class Marker(Frozen):
    """Says that a file was scored, and where its predictions lie.

    scored_at: in UTC, to the millisecond. parts: those of which any row has a score.
    """

    execution: str
    scored_at: datetime
    model_version: str
    coverage: float
    parts: tuple[PartPredictions, ...]


def marker_in(key: str, body: bytes) -> Marker:
    """Read a marker; raises ArtefactCorrupted where it was altered since."""
    try:
        return Marker.model_validate(unsealed_json(key, body))
    except ValidationError as error:
        raise ArtefactCorrupted(f"{key} is no marker of a scored file") from error


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
    """Give what the codes of rows (n,) stand for."""
    return [distinct[code] for code in codes.tolist()]


def hex_ids(ids: Ids) -> list[str]:
    """Write ids (n, 16) as answers have them: 32 hexadecimal digits each."""
    together, size = ids.tobytes().hex(), 2 * ID_BYTES
    return [together[start : start + size] for start in range(0, len(together), size)]


def ids_drawn(seed: str, part: int, first: int, rows: int) -> Ids:
    """Draw the ids of some rows of a part: 128 bits each (rows, 16).

    first: how many rows of the part came before.

    They are random, and made by the server: SHAKE-256, read as 16 bytes a row, of a seed that was
    drawn once for the execution and of where in it these rows stand. Nothing that a row says goes
    into them, and a part that is written again after a fault has the same.
    """
    drawn = hashlib.shake_256(f"{seed}/{part}/{first}".encode()).digest(ID_BYTES * rows)
    return np.frombuffer(drawn, np.uint8).reshape(rows, ID_BYTES)


class Predictions:
    """Writes the predictions of a part to a file, some rows at a time.

    out: the file. features: their names, in the model's order.
    """

    def __init__(self, out: IO[bytes], features: Sequence[str]) -> None:
        self._file = zipfile.ZipFile(out, "w", zipfile.ZIP_STORED)
        self._there: dict[str, Which] = {name: np.zeros(0, np.bool_) for name in features}
        self._averaged: dict[Names, int] = {}
        self._blocks = self.number = 0

    def enter(
        self,
        ids: Ids,
        codes: Mapping[str, Codes],
        figures: Sequence[Sequence[float]],
        averaged: Sequence[Names],
    ) -> None:
        """Enter rows (n,), all of which have a score.

        codes: by feature, where a row's value stands among its distinct ones. figures: scores, and
        the lower and upper ends of their intervals. averaged: columns that each is a mean over.
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
        for names in averaged:
            self._averaged.setdefault(names, len(self._averaged))
        over = np.array([self._averaged[names] for names in averaged], np.uint8)
        columns: list[Array] = [ids, *(np.array(one, np.float64) for one in figures), over]
        for column, values in zip(COLUMNS, columns, strict=True):
            self._add(column, values)
        self._blocks += 1
        self.number += len(ids)

    def close(self, values: Callable[[str], Sequence[Value]]) -> None:
        """Write what the codes stand for, and end the file.

        values: the distinct ones of a feature, of which those are written that any row has.
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
        # Without a time within, the same rows are the same bytes.
        entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
        with self._file.open(entry, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, values, allow_pickle=False)
