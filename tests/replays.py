"""A made-up replay, as the stage would have found it, in the units of any target."""

from datetime import UTC, datetime

from clinical.verdict import Estimate, Quantiles, Replayed, ReplayedGroup, Scores

CHAMPION = "v-4e5f6a7b"
LEFT_OUT = "Of the last 9,815 requests, 3 were not replayed: the contract refuses them by now."


def about(value: float, half: float) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half)


def scores(rmse: float, half: float) -> Scores:
    return Scores(rmse=about(rmse, half), mae=about(0.8 * rmse, half), r2=about(0.3, 0.1))


def a_replay(wide: float = 10) -> Replayed:
    """Requests of which some change much, beside a champion that errs more.

    wide: the target's range, from its lowest value to its highest.
    """
    spread = {"p05": -0.06, "p25": -0.02, "p50": 0.002, "p75": 0.03, "p95": 0.11}
    return Replayed(
        champion=CHAMPION,
        requests=9812,
        since=datetime(2026, 10, 27, 8, 30, tzinfo=UTC),
        until=datetime(2026, 11, 25, 22, 15, tzinfo=UTC),
        notes=(LEFT_OUT,),
        reproduced=9310,
        refused=12,
        change=Quantiles(**{name: share * wide for name, share in spread.items()}),
        moved=0.073,
        half_width=0.09 * wide,
        outcomes=140,
        candidate_scores=scores(0.13 * wide, 0.01 * wide),
        champion_scores=scores(0.15 * wide, 0.01 * wide),
        rmse_difference=about(-0.02 * wide, 0.015 * wide),
    )


def its_groups(wide: float = 10) -> tuple[ReplayedGroup, ...]:
    """Groups of these requests: one whose scores rise, one of which that is unsure, a small one."""
    return (
        ReplayedGroup(
            feature="sex",
            group="1",
            requests=9000,
            refused=4,
            mean_change=about(0.011 * wide, 0.004 * wide),
            moved=0.08,
        ),
        ReplayedGroup(
            feature="sex",
            group="2",
            requests=804,
            refused=8,
            mean_change=about(-0.006 * wide, 0.013 * wide),
            moved=0.004,
        ),
        ReplayedGroup(feature="sex", group="3", requests=8),
    )
