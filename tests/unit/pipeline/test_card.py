import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from clinical.artefacts import Artefact, Bucket
from clinical.card import Card, Tuning, TuningCandidate
from clinical.params import params
from clinical.reference import GroupWidth, read_reference
from clinical.verdict import Estimate, Quantiles, Replayed, ReplayedGroup, Subgroup, WinBin, Wins
from retrain.card import markdown

from tests.conftest import ROOT
from tests.unit.pipeline.conftest import Retrained, without_signal

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


@pytest.fixture
def card(bucket: Bucket, retrained: Retrained, sample_bytes: bytes) -> Card:
    return card_of(bucket, "one", retrained(sample_bytes))


def card_of(bucket: Bucket, execution: str, came_to: dict[str, Any]) -> Card:
    version = came_to["nominated"]["version"]
    return Card.model_validate_json(bucket.get(f"models/{version}/{execution}/card.json").body)


def test_a_card_says_what_the_model_was_made_of(card: Card) -> None:
    assert card.data.rows == 1000
    assert card.data.training_rows == 800
    assert card.data.combinations == 225
    assert card.training.seed == params().seed
    assert card.training.cross_validation_r2 == pytest.approx(0.7, abs=0.1)
    assert card.lineage.execution == "one"
    assert card.lineage.stages["ingest"].wrote["dataset"] == card.data.sha256


def test_a_card_names_the_release_that_published_the_version(card: Card) -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert card.release == pyproject["project"]["version"]
    assert f"release {card.release} of the system" in markdown(card)


def test_a_card_of_a_release_before_the_first_names_none(card: Card) -> None:
    earlier = card.model_dump(mode="json")
    del earlier["release"]

    read = Card.model_validate(earlier)

    assert read.release is None
    assert "of the system" not in markdown(read)


def test_the_card_is_readable_as_markdown(card: Card) -> None:
    text = markdown(card)

    for reason in card.verdict.reasons:
        assert f"- {reason}" in text
    for group in card.subgroups:
        assert f"| {group.feature} | {group.group} | {group.rows} |" in text
    assert [one.feature for one in card.importances] == [*params().features]
    for one in card.importances:
        assert f"| {one.feature} | {one.mean:.4f} | {one.std:.4f} |" in text
    assert card.data.sha256 in text
    assert "does not beat" not in text


def test_a_card_warns_where_the_average_is_not_beaten(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    card = card_of(bucket, "one", retrained(without_signal(sample_bytes)))

    warning = (
        "The model does not beat the average baseline: do not interpret differences between its "
        "scores as differences between patients."
    )
    assert card.verdict.decision == "promoted_with_warning"
    assert card.overview.limits[0] == warning
    assert f"- {warning}\n" in markdown(card)
    assert "## Verdict: promoted with warning\n" in markdown(card)


def test_a_card_says_of_how_many_treatments_it_knows_next_to_nothing(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    came_to = retrained(sample_bytes)

    card = card_of(bucket, "one", came_to)

    reference = read_reference(bucket, Artefact(**came_to["trained"]["reference"]))
    support = [one.training_rows for one in reference.combinations]
    rare = sum(rows <= 1 for rows in support)
    assert 0 in support  # else it could not be told from those in one row alone
    assert card.data.combinations_in_one_training_row == support.count(1) < rare
    (said,) = [limit for limit in card.overview.limits if "recorded treatments" in limit]
    assert f"225 recorded treatments, {rare} of them in at most one training row." in said


def test_a_card_has_the_champions_scores_beside_the_candidates(
    bucket: Bucket, upload: Upload, retrain: Retrain, sample_bytes: bytes, card: Card
) -> None:
    lines = sample_bytes.splitlines(keepends=True)
    upload(b"".join(lines[:-1]))

    second = card_of(bucket, "two", retrain("two"))

    champion = second.verdict.champion
    assert champion is not None
    assert champion.scores is not None
    rmse = champion.scores.rmse
    row = f"| {card.model_version} on {champion.rows} of them | {rmse.value:.3f} ({rmse.low:.3f} to"
    assert row in markdown(second)


def test_a_group_without_figures_and_cells_that_are_missing_are_told(card: Card) -> None:
    data = card.data.model_copy(update={"missing": {"Age": 3, "Treatment_Duration_days": 0}})
    few = Subgroup(feature="Age", group="65-79", rows=9)

    some = card.subgroups[0]
    text = markdown(card.model_copy(update={"data": data, "subgroups": (some, few)}))

    assert f"| Age | 65-79 | 9 |{' too few rows |' * 4}" in text
    assert "- 3 cells of Age are missing." in text
    assert "of Treatment_Duration_days are missing" not in text


def test_the_most_important_feature_is_named_first(card: Card) -> None:
    told = markdown(card).split("## Permutation importance")[1].split("## ")[0]

    first = told.splitlines()[6]

    assert first.startswith("| Condition | ")


def test_the_same_card_is_beside_it_in_the_registry(card: Card, bucket: Bucket) -> None:
    stored = bucket.get(f"models/{card.model_version}/one/card.md").body.decode()

    assert stored == markdown(card)


def test_a_tuning_is_told_with_its_failures(card: Card) -> None:
    tuning = Tuning(
        grid="small",
        limit=1.25,
        candidates=(
            TuningCandidate(
                hyperparameters=params().model,
                rmse=1.2,
                standard_error=0.05,
                leaves=1234,
                best=True,
                chosen=True,
            ),
            TuningCandidate(hyperparameters=params().model, error="States.Timeout"),
        ),
    )
    training = card.training.model_copy(update={"tuning": tuning})

    text = markdown(card.model_copy(update={"training": training}))

    assert "| 1.2000 | 0.0500 | 1,234 | best, chosen |" in text
    assert "| States.Timeout |" in text


def test_calibration_is_told_with_its_bins_and_a_plot(card: Card) -> None:
    told = markdown(card).split("## Calibration")[1].split("## ")[0]

    calibration = card.verdict.calibration
    assert calibration is not None
    assert len(calibration.bins) == 10
    for one in calibration.bins:
        assert f"| {one.predicted:.3f} | {one.recorded.value:.3f} (" in told
    slope = calibration.slope
    assert f"{slope.value:.3f} ({slope.low:.3f} to {slope.high:.3f})" in told
    plot = told.split("```")[1].splitlines()[2:]
    assert len(plot) == len(card.calibration_curve) == 21
    assert all(line.count("o") == 1 and len(line) <= 80 for line in plot)
    assert any(reason.startswith("Where it predicts ") for reason in card.verdict.reasons)


def test_subgroups_off_zero_are_marked_and_what_a_mark_means_is_told(card: Card) -> None:
    groups = tuple(one.model_copy(update={"off_zero": True}) for one in card.subgroups[:1])

    text = markdown(card.model_copy(update={"subgroups": groups}))

    told = text.split("## Errors by subgroup")[1].split("## ")[0]
    assert told.rstrip().splitlines()[-1].count(") * | ") == 1
    assert "hold for all groups jointly, with 95% confidence" in text


def test_a_card_of_an_earlier_release_is_as_it_was(card: Card) -> None:
    groups = tuple(one.model_copy(update={"coverage": None}) for one in card.subgroups)
    before = card.model_copy(
        update={
            "simultaneous": False,
            "calibration_curve": (),
            "subgroups": groups,
            "verdict": card.verdict.model_copy(update={"calibration": None, "wins": None}),
        }
    )

    text = markdown(before)

    assert "## Calibration" not in text
    assert "at once" not in text
    assert "| feature | group | rows | RMSE | MAE | mean error |\n" in text


def test_intervals_of_groups_are_listed(card: Card) -> None:
    groups = (GroupWidth(of=("18-34", "Female"), half_width=1.5, residuals=120),)
    interval = card.interval.model_copy(update={"by": ("Age", "Gender"), "groups": groups})

    text = markdown(card.model_copy(update={"interval": interval}))

    assert "Groups of Age and Gender with enough rows have intervals of their own" in text
    assert "| 18-34 and Female | 1.50 | 120 |" in text
    assert "intervals of their own" not in markdown(card)


def test_win_probabilities_have_a_table(card: Card) -> None:
    won = Estimate(value=0.78, low=0.7, high=0.86)
    wins = Wins(
        rows=40,
        bins=(
            WinBin(predicted=0.8, won=won, pairs=1234),
            WinBin(predicted=0.95, won=None, pairs=3),
        ),
        holds=True,
    )

    text = markdown(
        card.model_copy(update={"verdict": card.verdict.model_copy(update={"wins": wins})})
    )

    assert "| 0.800 | 0.780 (0.700 to 0.860) | 1,234 |" in text
    assert "| 0.950 | too few rows | 3 |" in text


def replayed(**changed: Any) -> Replayed:
    figures = {
        "champion": "v-0a1b2c3d",
        "requests": 9812,
        "since": datetime(2026, 11, 1, 9, 30, tzinfo=UTC),
        "until": datetime(2026, 11, 25, 17, 5, tzinfo=UTC),
        "reproduced": 9700,
        "refused": 1,
        "change": Quantiles(p05=-0.41, p25=-0.1, p50=0.0, p75=0.12, p95=0.38),
        "moved": 0.031,
    }
    return Replayed(**figures | changed)


def with_replay(card: Card, replay: Replayed, *groups: ReplayedGroup) -> Card:
    verdict = card.verdict.model_copy(update={"replay": replay})
    return card.model_copy(update={"verdict": verdict, "replayed": groups})


def replay_of(card: Card) -> str:
    return markdown(card).split("\n## Replay\n")[1].split("\n## ")[0]


def test_a_card_says_what_would_change_for_whom(card: Card) -> None:
    women = ReplayedGroup(
        feature="Gender",
        group="Female",
        requests=4936,
        mean_change=Estimate(value=0.01, low=-0.003, high=0.03),
        moved=0.029,
    )
    few = ReplayedGroup(feature="Age", group="18-34", requests=4, refused=1)

    told = replay_of(with_replay(card, replayed(), women, few))

    assert told.startswith(
        "\n9,812 captured requests from 2026-11-01 09:30 to 2026-11-25 17:05 UTC, replayed "
        "against this model and the champion v-0a1b2c3d, which reproduced 9,700 predictions of its "
        "own among them."
    )
    assert (
        "| this model less the champion | -0.410 | -0.100 | +0.000 | +0.120 | +0.380 | 3.1% |"
    ) in told
    assert "| Gender | Female | 4,936 | 0 | 0.010 (-0.003 to 0.030) | 2.9% |" in told
    assert "| Age | 18-34 | 4 | 1 | too few rows |  |" in told
    assert "RMSE" not in told  # of no outcome


def test_a_card_sets_both_models_side_by_side_on_outcomes(card: Card) -> None:
    scores = card.verdict.candidate

    told = replay_of(
        with_replay(card, replayed(outcomes=120, candidate_scores=scores, champion_scores=scores))
    )

    assert "On 120 outcomes that neither model was trained on:" in told
    assert f"| the champion v-0a1b2c3d | {scores.rmse.value:.3f}" in told


def test_a_replay_that_is_void_is_one_sentence_of_the_card(card: Card) -> None:
    void = "No requests were replayed: no requests have been captured yet."

    assert replay_of(with_replay(card, Replayed(champion="v-0a1b2c3d", void=void))).strip() == void
    assert "## Replay" not in markdown(card)  # of the first model
