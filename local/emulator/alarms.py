"""Evaluate metric alarms as CloudWatch does: M of the last N periods, with missing data treated.

CloudWatch also looks further back for late data; this does not.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}


def judged(values: Sequence[float | None], alarm: Mapping[str, Any]) -> str:
    """Return the state of an alarm from the values of its last periods, None without data.

    alarm: as PutMetricAlarm has it, with its `StateValue` so far.
    """
    treatment = alarm.get("TreatMissingData", "missing")
    known = [value for value in values if value is not None]
    if not known and treatment == "missing":
        return "INSUFFICIENT_DATA"
    if not known and treatment == "ignore":
        return str(alarm["StateValue"])
    compare = COMPARISONS[alarm["ComparisonOperator"]]
    breaching = sum(compare(value, alarm["Threshold"]) for value in known)
    if treatment == "breaching":
        breaching += len(values) - len(known)
    needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    return "ALARM" if breaching >= needed else "OK"
