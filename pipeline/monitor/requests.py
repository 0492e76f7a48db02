"""Count a window's predictions by level while reading them; no row is kept."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

import numpy as np
from clinical.captured import Captured
from clinical.groups import grouping
from clinical.kinds import Value
from clinical.params import Params
from clinical.population import Levels, Population
from clinical.recorded import Names
from levels import Counts, places_of, places_of_numbers
from requested import asked

AT_ONCE = 10_000  # predictions in memory


@dataclass
class Tally:
    """The number of values, and the sums of the values and their squares."""

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, values: Iterable[float]) -> None:
        for value in values:
            self.rows += 1
            self.total += value
            self.squares += value * value

    @property
    def mean(self) -> float:
        return self.total / self.rows

    @property
    def variance(self) -> float:
        return max(self.squares / self.rows - self.mean**2, 0.0)


@dataclass
class Counted:
    """The predictions of a window.

    requests: of any version. answered: by the version that they are compared with. features: rows
    by level of each feature; the last is for values without a level in the version's data. scores:
    of this version, likewise, by the columns that they are averaged over. overall: this version's
    scores with nothing averaged over. groups: all its scores, by subgroup.
    """

    requests: int = 0
    answered: int = 0
    features: dict[str, Counts] = field(default_factory=dict)
    scores: dict[Names, Counts] = field(default_factory=dict)
    overall: Tally = field(default_factory=Tally)
    groups: dict[tuple[str, str], Tally] = field(default_factory=dict)


def counted(
    captures: Iterable[Captured], population: Population, version: str, params: Params
) -> Counted:
    """Count predictions by level, for the sources in params.yaml.

    captures: in order of time, at least within an hour. population: of the version. A feature known
    after treatment counts only if it is known.
    """
    found = Counted()
    levels = {one.column: one for one in population.features if one.column in params.features}
    scores = {one.over: one for one in population.scores}
    found.features = {name: np.zeros(len(one.names) + 1, np.int64) for name, one in levels.items()}
    found.scores = {over: np.zeros(len(one.names) + 1, np.int64) for over, one in scores.items()}
    for batch in batched(asked(captures, params), AT_ONCE, strict=False):
        found.requests += len(batch)
        for name, one in levels.items():
            found.features[name] += counted_levels(batch, one, params)
        ours = [one for one in batch if one.model_version == version]
        found.answered += len(ours)
        for over, one in scores.items():
            said = [capture.score for capture in ours if capture.averaged_over == over]
            found.scores[over] += tallied(one, Counter(said))
        found.overall.add(one.score for one in ours if not one.averaged_over)
        add_groups(found.groups, ours, params)
    return found


def counted_levels(batch: Iterable[Captured], levels: Levels, params: Params) -> Counts:
    """Count predictions by the level of a feature; those without a level come last."""
    name = levels.column
    kind, since = params.columns[name], params.columns[name].since_column
    said = Counter[tuple[Value, ...]](
        (one.features[name],) if since is None else (one.features[name], one.features.get(since))
        for one in batch
        if name in one.features
    )
    if name in params.roles.known_after_treatment:
        said = Counter({values: rows for values, rows in said.items() if values[0] is not None})
    if not said:
        return np.zeros(len(levels.names) + 1, np.int64)
    places = places_of(levels, kind, list(said))
    return _summed(places, said, levels)


def tallied(levels: Levels, said: Counter[float]) -> Counts:
    """Count scores by level."""
    if not said:
        return np.zeros(len(levels.names) + 1, np.int64)
    return _summed(places_of_numbers(levels, np.array(list(said))), said, levels)


def _summed(places: Counts, said: Mapping[Any, int], levels: Levels) -> Counts:
    rows = np.fromiter(said.values(), np.int64, len(said))
    return np.bincount(places, rows, len(levels.names) + 1).astype(np.int64)


def add_groups(
    groups: dict[tuple[str, str], Tally], captures: Iterable[Captured], params: Params
) -> None:
    """Add scores to their subgroups."""
    ours = list(captures)
    for feature in params.roles.subgroups:
        group_of = grouping(feature, params)
        names = dict[Value, str]()
        for one in ours:
            value = one.features.get(feature)
            if value not in names:
                names[value] = group_of(value)
            groups.setdefault((feature, names[value]), Tally()).add((one.score,))
