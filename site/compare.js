// Compares the recorded treatments of a condition for one patient, and recommends none; loaded when
// it is asked for.

import { ask } from "./api.js";
import { between, byId, draw, make, WORTHLESS } from "./result.js";

const TREATMENT = ["Drug_Name", "Dosage_mg", "Side_Effects"];
const nameOf = (one) => `${one.Drug_Name} ${one.Dosage_mg} mg, ${one.Side_Effects}`;
const overlap = (one, other) => one.low <= other.high && other.low <= one.high;

/** Score the patient with each treatment in one request, and draw all on the same scale. */
export async function compare(patient, combinations) {
  const treatments = combinations
    .filter(({ Condition }) => Condition === patient.Condition)
    .sort((one, other) => nameOf(one).localeCompare(nameOf(other), "en", { numeric: true }));
  const answer = await ask("/predict/batch", { patients: treatments.map((one) => ({ ...patient, ...one })) });
  const own = treatments.findIndex((one) => TREATMENT.every((name) => one[name] === patient[name]));
  const { interval } = answer.predictions[own];

  let alike = -1; // the treatment itself is not counted
  const rows = answer.predictions.map((prediction, number) => {
    const same = overlap(prediction.interval, interval);
    alike += same;
    const verdict = number === own ? "this treatment" : same ? "indistinguishable" : "differs";
    return make(
      "li",
      { className: number === own ? "own" : "" },
      make("span", {}, nameOf(treatments[number])),
      draw(make("span", { className: "scale" }), prediction.Improvement_Score, prediction.interval),
      make("span", {}, `${prediction.Improvement_Score.toFixed(2)} (${between(prediction.interval)}) ${verdict}`),
    );
  });
  byId("comparison").replaceChildren(
    make("h2", {}, `Recorded treatments of ${patient.Condition}, for this patient`),
    make("p", { className: "warning", hidden: answer.skill.beats_average }, WORTHLESS),
    make(
      "p",
      {},
      `${alike} of ${rows.length - 1} others have an interval that overlaps that of ${nameOf(patient)}: they are ` +
        "indistinguishable from it. In the order of the alphabet; nothing here is a recommendation.",
    ),
    make("ul", { className: "rows" }, ...rows),
  );
  byId("comparison").hidden = false;
  byId("comparison").focus();
}
