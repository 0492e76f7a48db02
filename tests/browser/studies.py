"""Made-up studies, and an API that answers for them as the deployed one would, without a cloud."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from clinical.monitored import Monitoring
from clinical.params import params
from playwright.sync_api import Page, Route

from local import site
from tests.browser import cards

URL = "http://study.test/"
PREDICTION = "0123456789abcdef0123456789abcdef"
KINDS = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "json": "application/json",
}
WON = (0.814, 0.312, 0.47, 0.999, 0.001)  # probabilities of doing better than the reference


def column(name: str, widget: str, **told: Any) -> dict[str, Any]:
    """Describe a column as `fields` does."""
    usual = {"label": name, "unit": "", "hint": "", "nullable": False, "example": None, "roles": []}
    return {"name": name, "widget": widget, **usual, **told}


def number(name: str, low: float, high: float, step: float = 1, **told: Any) -> dict[str, Any]:
    return column(name, "number", range=[low, high], step=step, **told)


def choice(name: str, *values: object, **told: Any) -> dict[str, Any]:
    return column(name, "choice", values=list(values), **told)


@dataclass
class Study:
    """A study's words and columns, and what its API answers."""

    question: str
    target: dict[str, Any]
    fields: list[dict[str, Any]]
    combinations: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    patient: dict[str, Any] = field(default_factory=dict)
    assignment: str = "observed"
    answer: dict[str, Any] = field(default_factory=dict)
    came: dict[str, Any] = field(default_factory=dict)  # of an outcome that is recorded
    width: float = 0.1  # of an interval's half, of the range
    checked: bool = True  # whether its card has all that this release finds out
    monitoring: Monitoring | None = None
    treatments: list[dict[str, Any]] = field(default_factory=list)  # where no combinations say
    asked: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def described(self) -> dict[str, Any]:
        """What config.json says of it."""
        return {
            "title": "Outcomes of a study",
            "question": self.question,
            "introduction": "Describe one patient. A model estimates what comes.",
            "disclaimer": "For research support only: not a diagnosis and not treatment advice.",
            "target": self.target,
        }

    @property
    def asked_fields(self) -> list[dict[str, Any]]:
        return [one for one in self.fields if "target" not in one["roles"]]

    def serve(self, page: Page) -> None:
        """Answer all that a page asks for, the published site and the API."""
        files = site.published(self.described, "/v1", URL)

        def respond(route: Route) -> None:
            path = urlsplit(route.request.url).path.removeprefix("/")
            if path in files:
                kind = KINDS[path.rsplit(".", 1)[1]]
                route.fulfill(body=files[path], content_type=f"{kind}; charset=utf-8")
            else:
                sent = route.request.post_data
                self.asked.append((path, json.loads(sent) if sent else None))
                explained = "explain=true" in route.request.url
                answer = self.respond(path.removeprefix("v1/"), explained)
                route.fulfill(json=answer, status=answer.get("status", 200))

        page.route(f"{URL}**", respond)

    def respond(self, path: str, explained: bool) -> dict[str, Any]:
        sent = self.asked[-1][1]
        common = {
            "model_version": "v-0a1b2c3d",
            "skill": {"r2": 0.4, "beats_average": True},
            "disclaimer": "",
        }
        if path == "dropdown-values":
            return {"fields": self.fields, "valid_combinations": self.combinations}
        if path == "model":
            return (cards.checked(self.target) if self.checked else cards.CARD) | {
                "importances": [
                    {"feature": one["name"], "mean": 1 / (n + 1) - 0.1, "std": 0.01}
                    for n, one in enumerate(self.asked_fields)
                ],
                "monitoring": cards.dumped(self.monitoring),
            }
        if path == "compare":
            return self.compared(sent) | common
        if path == "outcomes":
            (told,) = sent["outcomes"]
            came = {"prediction_id": told["prediction_id"], "status": "waiting", "message": ""}
            return {"outcomes": [came | self.came]}
        added = {
            one["name"]: (-1) ** n * self.target["range"][1] / 20 / (n + 1)
            for n, one in enumerate(self.asked_fields)
            if "identifier" not in one["roles"]
        }
        explanation = {
            "base_value": self.scored(0)[self.target["name"]] - sum(added.values()),
            "contributions": added,
            "explained_by": "exact" if len(added) <= 10 else "permutations",
        }
        if len(added) > 10:
            explanation["standard_errors"] = {name: abs(one) / 9 for name, one in added.items()}
        unknown = [name for name in self.later if sent[name] is None]
        over = {"averaged_over": unknown} if unknown else {}
        identified = {"prediction_id": PREDICTION}
        told = identified | self.scored(3) | common | over | (explanation if explained else {})
        return told | self.answer

    def compared(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Answer with what was recorded with such a patient, each treatment once."""
        patient = sent["patient"]
        names = {one["name"] for one in self.asked_fields if "treatment" in one["roles"]}
        treatments = list[dict[str, Any]]()
        for row in self.treatments or self.combinations:
            treatment = {name: row[name] for name in row if name in names}
            if treatment not in treatments and {**row, **patient} == {**patient, **row}:
                treatments.append(treatment)
        reference = sent.get("reference", treatments[0])
        if reference not in treatments:
            where = {"loc": ["body", "reference"], "msg": "", "type": "unrecorded_combination"}
            return {"status": 422, "detail": "Refused.", "errors": [where]}
        return {
            "reference": reference,
            "treatments": [
                {
                    "treatment": one,
                    "win_probability": 0.5 if one == reference else WON[n % len(WON)],
                    **self.scored(n),
                }
                for n, one in enumerate(treatments)
            ],
            "averaged_over": self.later,
            "assignment": self.assignment,
        }

    @property
    def later(self) -> list[str]:
        """Name what is known only after treatment."""
        return [one["name"] for one in self.asked_fields if "known_after_treatment" in one["roles"]]

    def scored(self, number: int) -> dict[str, Any]:
        low, high = self.target["range"]
        value = low + (high - low) * (0.31 + 0.11 * number % 0.6)
        half = (high - low) * self.width
        return {
            self.target["name"]: round(value, self.target["decimals"]),
            "interval": {
                "low": max(low, value - half),
                "high": min(high, value + half),
                "coverage": 0.9,
            },
            "support": 9,
        }


def target(
    label: str, low: float, high: float, bands: Mapping[str, float], **told: Any
) -> dict[str, Any]:
    usual = {
        "name": label.replace(" ", "_"),
        "label": label,
        "unit": "points",
        "range": [low, high],
        "decimals": 2,
        "higher_is": "better",
    }
    return {**usual, "bands": [{"name": name, "from": bands[name]} for name in bands], **told}


def of_target(told: dict[str, Any]) -> dict[str, Any]:
    return number(
        told["name"], *told["range"], label=told["label"], unit=told["unit"], roles=["target"]
    )


def drugs() -> Study:
    """The drug study, with combinations of its own."""
    decided = params()
    roles = {
        "treatment": decided.roles.treatment,
        "recorded_together": decided.roles.recorded_together,
        "known_after_treatment": decided.roles.known_after_treatment,
        "identifier": (decided.identifier,),
        "target": (decided.target.column,),
    }
    fields = [
        column(
            name,
            **{
                "label": decided.label(name),
                "unit": kind.unit,
                "hint": kind.hint,
                "example": getattr(kind, "example", None),
                "roles": [role for role, names in roles.items() if name in names],
                **kind.widget,
            },
        )
        for name, kind in decided.read.items()
    ]
    together = decided.roles.recorded_together
    recorded = [
        ("Infection", "Ciprofloxacin", 50, "Nausea"),
        ("Infection", "Ciprofloxacin", 250, "Nausea"),
        ("Infection", "Ciprofloxacin", 250, "Headache"),
        ("Infection", "Amoxicillin", 500, "Skin rash"),
        ("Infection", "Azithromycin", 100, "Stomach upset"),
        ("Depression", "Sertraline", 50, "Insomnia"),
        ("Depression", "Bupropion", 850, "Dry mouth"),
    ]
    bands = {"Low": 0, "Moderate": 4, "High": 7}
    return Study(
        question=decided.study.question,
        target=target("Improvement score", 0, 10, bands, name="Improvement_Score"),
        fields=fields,
        combinations=[dict(zip(together, one, strict=True)) for one in recorded],
        patient={
            "Patient_ID": "P0001",
            "Age": 56,
            "Gender": "Male",
            "Condition": "Infection",
            "Drug_Name": "Ciprofloxacin",
            "Dosage_mg": 50,
            "Side_Effects": "Nausea",
            "Treatment_Duration_days": 9,
        },
    )


def diabetes() -> Study:
    """Ten numbers and no treatment, no identifier, and a target of which more is worse."""
    bands = {"Slow": 25, "Moderate": 100, "Fast": 200}
    told = target("Disease progression", 25, 346, bands, decimals=0, higher_is="worse")
    fields = [
        number("age", 19, 79, label="Age", unit="years"),
        choice("sex", 1, 2, label="Sex", hint="As the source has it."),
        number("bmi", 18, 42.2, 0.1, label="Body mass index", unit="kg/m²"),
        number("bp", 62, 133, 0.01, label="Mean arterial pressure", unit="mmHg"),
        number("s1", 97, 301, label="Total cholesterol", unit="mg/dl"),
        number("s2", 41.6, 242.4, 0.1, label="Low-density lipoproteins", unit="mg/dl"),
        number("s3", 22, 99, 0.1, label="High-density lipoproteins", unit="mg/dl"),
        number("s4", 2, 9.09, 0.01, label="Total cholesterol to HDL"),
        number("s5", 3.2581, 6.107, 0.0001, label="Triglycerides, logarithm"),
        number("s6", 58, 124, label="Blood sugar", unit="mg/dl"),
    ]
    values = (59, 2, 32.1, 101.5, 157, 93.2, 38, 4, 4.8598, 87)
    patient = {one["name"]: value for one, value in zip(fields, values, strict=True)}
    question = "How far might diabetes progress within a year?"
    return Study(question, told, [*fields, of_target(told)], patient=patient)


def trial() -> Study:
    """A randomised trial of four arms, with an identifier and yes and no."""
    bands = {"Severely reduced": 0, "Reduced": 200, "Normal": 500}
    told = target("CD4 count at 20 weeks", 0, 1500, bands, unit="cells/mm³", decimals=0)
    arms = ("Zidovudine", "Zidovudine and didanosine", "Zidovudine and zalcitabine", "Didanosine")
    fields = [
        column("pidnum", "text", max_length=64, example="P0001", roles=["identifier"]),
        number("age", 12, 70, label="Age", unit="years"),
        number("wtkg", 31, 160, 0.01, label="Weight", unit="kg"),
        *(
            choice(name, False, True, label=label)
            for name, label in (
                ("hemo", "Haemophilia"),
                ("homo", "Homosexual activity"),
                ("drugs", "History of intravenous drug use"),
                ("oprior", "Non-zidovudine antiretroviral therapy before the trial"),
                ("z30", "Zidovudine in the 30 days before the trial"),
                ("race", "Non-white"),
                ("str2", "Antiretroviral history"),
                ("symptom", "Symptoms of HIV"),
            )
        ),
        choice("karnof", 70, 80, 90, 100, label="Karnofsky score"),
        number("preanti", 0, 2851, label="Antiretroviral therapy before the trial", unit="days"),
        choice("gender", "Female", "Male", label="Gender"),
        number("cd40", 0, 1199, label="CD4 count at baseline", unit="cells/mm³"),
        number("cd80", 40, 5011, label="CD8 count at baseline", unit="cells/mm³"),
        choice("arms", *arms, label="Treatment", roles=["treatment", "recorded_together"]),
    ]
    patient = {one["name"]: one["values"][1] for one in fields if one["widget"] == "choice"}
    patient |= {"pidnum": "10056", "age": 48, "wtkg": 89.81, "preanti": 0, "cd40": 422, "cd80": 566}
    return Study(
        "How many CD4 cells might this patient have after 20 weeks?",
        told,
        [*fields, of_target(told)],
        [{"arms": arm} for arm in arms],
        patient,
        assignment="randomised",
    )


def everything() -> Study:
    """Forty columns of all kinds, in three alphabets, most of which may be empty."""
    bands = {"Снижение": -20, "Норма": -2.5, "Рост": 7.5}
    told = target("Изменение", -20, 20, bands, unit="мм рт. ст.", decimals=1, higher_is="worse")
    fields = [
        number(f"{name} {n}", -5, 99.5, 0.1, label=f"{name} {n}", unit="мг", nullable=True)
        for n in range(1, 16)
        for name in ("Показатель", "測定値")
    ]
    fields += [
        choice("性別", "女性", "男性", nullable=True),
        choice("Курит", False, True, nullable=True),
        choice("score", 0.5, 1, 2.5, label="Score", hint="It has the name of an element."),
        column("Начало", "date", range=["2020-01-01", "2026-01-01"]),
        column("elements", "date", range=["2020-01-01", "2026-01-01"], nullable=True),
        choice("Препарат", "Аспирин", "Плацебо", roles=["treatment"]),
        choice("Доза", 5, 10, 20, unit="мг", roles=["treatment"], nullable=True),
        choice("центр", "東京", "Москва", roles=["recorded_together"], nullable=True),
        choice("отделение", "A", "B", roles=["recorded_together"]),
        number("возраст", 18, 99, unit="лет"),
    ]
    combinations: list[dict[str, Any]] = [
        {"центр": "東京", "отделение": "A"},
        {"центр": "Москва", "отделение": "B"},
        {"центр": None, "отделение": "B"},
        {"центр": None, "отделение": "A"},
    ]
    patient = {
        "Показатель 1": -4.5,
        "性別": "女性",
        "score": 2.5,
        "Начало": "2024-02-29",
        "Препарат": "Аспирин",
        "Доза": 10,
        "отделение": "B",
        "возраст": 61,
    }
    missing = [one["name"] for one in fields if one["nullable"] and one["name"] not in patient]
    return Study(
        "Насколько изменится давление?",
        told,
        [*fields, of_target(told)],
        combinations,
        patient,
        answer={"missing": missing[:2]},
        treatments=[
            {"Препарат": "Аспирин", "Доза": 5},
            {"Препарат": "Аспирин", "Доза": 10},
            {"Препарат": "Плацебо", "Доза": None},
        ],
    )
