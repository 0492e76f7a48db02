"""Write sample.csv: 1,000 synthetic patients under the contract of params.yaml (`make sample`).

No row describes a real person. The drugs for each condition, and their side effects, are those of
the public Kaggle data set; the scores are generated with a known signal:

    score = 6 + condition + drug + 0.3 x (dosage level - 2) + (days - 32) / 27 + noise

with conditions from -1.6 to 1.6, drugs from -0.5 to 0.5 within a condition, dosage levels 0 to 4,
and noise from a normal distribution of standard deviation 0.7; then kept within 0 to 10 and
rounded to one decimal. Age, gender and side effect have no effect, which a model should find out.

No model can predict the noise: the best possible R² is CEILING_R2.
"""

import csv
import io
import random
from pathlib import Path
from typing import Any

ROWS = 1000
SEED = 2026
NOISE = 0.7
SAMPLE = Path(__file__).with_name("sample.csv")

TREATMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "Depression": {
        "Bupropion": ("Anxiety", "Dry mouth", "Headache"),
        "Escitalopram": ("Nausea", "Sleep issues", "Sweating"),
        "Sertraline": ("Drowsiness", "Dry mouth", "Insomnia"),
    },
    "Diabetes": {
        "Glipizide": ("Low blood sugar", "Nausea", "Skin rash"),
        "Insulin Glargine": ("Injection site pain", "Low sugar", "Weight gain"),
        "Metformin": ("Diarrhea", "Nausea", "Stomach upset"),
    },
    "Hypertension": {
        "Amlodipine": ("Dizziness", "Fatigue", "Swelling"),
        "Losartan": ("Back pain", "Cough", "Headache"),
        "Metoprolol": ("Dizziness", "Slow heartbeat", "Tiredness"),
    },
    "Infection": {
        "Amoxicillin": ("Allergy", "Diarrhea", "Rash"),
        "Azithromycin": ("Abdominal pain", "Headache", "Nausea"),
        "Ciprofloxacin": ("Dizziness", "Joint pain", "Nausea"),
    },
    "Pain Relief": {
        "Ibuprofen": ("Heartburn", "Nausea", "Stomach pain"),
        "Paracetamol": ("Fatigue", "Liver issues", "Rash"),
        "Tramadol": ("Constipation", "Dizziness", "Nausea"),
    },
}
DOSAGES = (50, 100, 250, 500, 850)
DAYS = range(5, 60)
AGES = range(18, 80)
CONDITION_EFFECTS = dict(zip(TREATMENTS, (-1.6, -0.8, 0.0, 0.8, 1.6), strict=True))
DRUG_EFFECTS = (-0.5, 0.0, 0.5)  # in the order above, within each condition

# All parts are independent and drawn evenly, so their variances add up; rounding to one decimal
# adds 0.1² / 12, and a clip at 10 is rare enough to leave out.
_SIGNAL = 1.28 + 1 / 6 + 0.3**2 * 2 + (len(DAYS) ** 2 - 1) / 12 / 27**2
CEILING_R2 = _SIGNAL / (_SIGNAL + NOISE**2 + 0.1**2 / 12)


def patients(rows: int, seed: int) -> list[dict[str, Any]]:
    """Draw patients; the same seed always draws the same ones."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    drawn = []
    for number in range(1, rows + 1):
        condition = draw.choice(list(TREATMENTS))
        drug = draw.choice(list(TREATMENTS[condition]))
        dosage = draw.choice(DOSAGES)
        days = draw.choice(DAYS)
        score = (
            6
            + CONDITION_EFFECTS[condition]
            + DRUG_EFFECTS[list(TREATMENTS[condition]).index(drug)]
            + 0.3 * (DOSAGES.index(dosage) - 2)
            + (days - 32) / 27
            + draw.gauss(0, NOISE)
        )
        drawn.append(
            {
                "Patient_ID": f"S{number:04}",
                "Age": draw.choice(AGES),
                "Gender": draw.choice(("Female", "Male")),
                "Condition": condition,
                "Drug_Name": drug,
                "Dosage_mg": dosage,
                "Treatment_Duration_days": days,
                "Side_Effects": draw.choice(TREATMENTS[condition][drug]),
                "Improvement_Score": round(min(max(score, 0), 10), 1),
            }
        )
    return drawn


def as_csv(drawn: list[dict[str, Any]]) -> str:
    """Write patients as the CSV that the pipeline accepts."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(drawn[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(drawn)
    return buffer.getvalue()


if __name__ == "__main__":
    SAMPLE.write_text(as_csv(patients(ROWS, SEED)), encoding="utf-8")
    print(f"{SAMPLE.name}: {ROWS} synthetic rows, R² ceiling {CEILING_R2:.3f}")
