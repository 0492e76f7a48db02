"""The rows that preprocess wrote, as later stages read them."""

import csv
import hashlib
import io

import numpy as np
from clinical.params import Params

type Scores = np.ndarray[tuple[int], np.dtype[np.float64]]
type Columns = dict[str, np.ndarray[tuple[int], np.dtype[np.int64 | np.object_]]]


def read_rows(body: bytes, params: Params) -> tuple[Columns, Scores]:
    """Read features as columns (n,), int64 or strings, and recorded scores (n,), 0 to 10."""
    read = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    numeric = params.features.numeric
    columns: Columns = {
        name: np.array([int(row[name]) for row in read], np.int64)
        if name in numeric
        else np.array([row[name] for row in read], np.object_)
        for name in params.features.names
    }
    return columns, np.array([float(row[params.features.target]) for row in read])


def row_digests(body: bytes) -> list[str]:
    """Name every row by what it holds, to tell later whether a model was trained on it.

    There is no `Patient_ID` in it, and the digest is cut to 64 bits: two rows that say the same
    are the same row.
    """
    rows = body.splitlines()[1:]
    return [hashlib.sha256(row).hexdigest()[:16] for row in rows]
