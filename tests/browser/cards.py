"""Cards of made-up models: as an earlier release made them, and with all of this one's checks."""

from typing import Any

from clinical.card import LearningCurve, LearningPoint
from clinical.reference import Conformal, GroupWidth
from clinical.verdict import (
    Averaged,
    Baseline,
    Calibration,
    CalibrationBin,
    Coverage,
    CurvePoint,
    Estimate,
    Scores,
    Subgroup,
    WinBin,
    Wins,
)
from pydantic import TypeAdapter

from tests.replays import a_replay, its_groups

ESTIMATE = {"value": 1.234, "low": 1.1, "high": 1.4}
SCORES = {"rmse": ESTIMATE, "mae": ESTIMATE, "r2": ESTIMATE}
CARD: dict[str, Any] = {
    "model_version": "v-0a1b2c3d",
    "overview": {"algorithm": "A forest", "intended_use": "Research.", "limits": []},
    "data": {"sha256": "0" * 64, "rows": 442, "training_rows": 353, "combinations": 1},
    "training": {"hyperparameters": {"n_estimators": 200, "max_depth": None}, "seed": 42},
    "interval": {"half_width": 1.5, "residuals": 353},
    "verdict": {
        "beats_average": True,
        "reasons": ["It beats the average."],
        "candidate": SCORES,
        "average": SCORES,
        "rows": 89,
        "confidence": 0.95,
    },
    "subgroups": [
        {"feature": "sex", "group": "1", "rows": 80, "rmse": ESTIMATE, "mean_error": ESTIMATE},
        {"feature": "sex", "group": "2", "rows": 9, "rmse": None, "mean_error": None},
    ],
    "lineage": {"stages": {"train": {"wrote": {"onnx": "f" * 64}, "from_cache_of": None}}},
    "ledger": [
        {
            "sequence": 1,
            "model_version": "v-0a1b2c3d",
            "promoted_at": "2026-01-01T00:00:00Z",
            "why": "First.",
        }
    ],
}


def checked(target: dict[str, Any]) -> dict[str, Any]:
    """Make a card with all that a release finds out, in the units of a target."""
    low, high = target["range"]
    wide = high - low

    def about(value: float, half: float) -> Estimate:
        return Estimate(value=value, low=value - half, high=value + half)

    def scores(error: float) -> Scores:
        return Scores(
            rmse=about(error * wide, 0.01 * wide),
            mae=about(0.8 * error * wide, 0.01 * wide),
            r2=about(0.3, 0.1),
        )

    bins = tuple(
        CalibrationBin(
            predicted=low + wide * (0.3 + 0.04 * n),
            recorded=about(low + wide * (0.34 + 0.03 * n + 0.02 * (-1) ** n), 0.05 * wide),
            rows=20,
        )
        for n in range(10)
    )
    curve = tuple(
        CurvePoint(
            predicted=low + wide * (0.28 + 0.02 * n),
            recorded=about(low + wide * (0.33 + 0.015 * n), (0.02 + 0.002 * abs(n - 10)) * wide),
        )
        for n in range(21)
    )
    wins = tuple(
        WinBin(
            predicted=0.05 + 0.1 * n,
            won=None if n in {0, 9} else about(0.07 + 0.096 * n, 0.06),
            pairs=100 * n + 7,
        )
        for n in range(10)
    )
    coverage = Coverage(target=0.9, measured=0.914, tolerance=0.04, holds=True)
    verdict = {
        "baseline": Baseline(
            name="Ridge regression",
            scores=scores(0.15),
            rmse_difference=about(-0.02 * wide, 0.01 * wide),
            average_difference=about(0.001 * wide, 0.01 * wide),
        ),
        "averaged": [Averaged(over=("Side_Effects",), scores=scores(0.14), coverage=coverage)],
        "calibration": Calibration(
            intercept=about(0.05 * wide, 0.02 * wide),
            slope=about(0.76, 0.14),
            in_the_large=about(-0.001 * wide, 0.01 * wide),
            bins=bins,
        ),
        "wins": Wins(rows=200, bins=wins, holds=True),
        "replay": a_replay(wide),
    }
    figures = {"rmse": about(0.1 * wide, 0.02 * wide), "mae": about(0.08 * wide, 0.02 * wide)}
    subgroups = (
        Subgroup(
            feature="sex",
            group="1",
            rows=80,
            **figures,
            mean_error=about(0.06 * wide, 0.02 * wide),
            coverage=about(0.84, 0.06),
            off_zero=True,
        ),
        Subgroup(
            feature="sex",
            group="2",
            rows=70,
            **figures,
            mean_error=about(-0.01 * wide, 0.02 * wide),
            coverage=about(0.93, 0.05),
        ),
        Subgroup(feature="sex", group="3", rows=9),
    )
    return CARD | {
        "training": {
            "hyperparameters": {"family": "gradient_boosting", "learning_rate": 0.1, "depth": None},
            "seed": 42,
        },
        "interval": Conformal(
            coverage=0.9,
            half_width=0.2 * wide,
            residuals=353,
            folds=5,
            by=("sex",),
            groups=(GroupWidth(of=("1",), half_width=0.15 * wide, residuals=80),),
        ).model_dump(mode="json"),
        "verdict": CARD["verdict"] | {name: dumped(one) for name, one in verdict.items()},
        "subgroups": dumped(subgroups),
        "replayed": dumped(its_groups(wide)),
        "simultaneous": True,
        "calibration_curve": dumped(curve),
        "learning_curve": dumped(
            LearningCurve(
                held_out_rows=89,
                confidence=0.95,
                points=tuple(
                    LearningPoint(
                        fraction=fraction,
                        rows=int(353 * fraction),
                        rmse=about((0.1 + 0.03 / fraction**0.5) * wide, 0.01 * wide),
                        draws=(),
                    )
                    for fraction in (0.1, 0.2, 0.4, 0.7, 1)
                ),
                change=about(-0.01 * wide, 0.02 * wide),
                says="More rows would hardly help.",
            )
        ),
    }


def dumped(of: Any) -> Any:
    """Give what the API would answer."""
    return TypeAdapter(Any).dump_python(of, mode="json")
