// Compares a patient's recorded treatments with one of them, and recommends none; loaded on demand.

import { ask, config, Problem } from "./api.js";
import { byId, has, list, lower, make, WORTHLESS, written } from "./page.js";
import { averaged, between, draw, patients, told } from "./result.js";
import { useRows } from "./rows.js";

const EVEN = [45, 55]; // of 100 pairs: too small a difference to mention
const pairOf = (reference) =>
  `A pair is two patients like this one: one on the treatment in the row, the other on ${reference}. How often the ` +
  "first does better follows from the model's scores and its errors on patients that it was not trained on; ties " +
  "count as half.";
const CHOSEN =
  "Treatments in the data were chosen, not assigned at random, and the reasons for a choice may also explain the " +
  "outcome: this does not show what a treatment causes.";

const isCompared = (field) => has("treatment")(field) && field.values;
const isKnownLater = has("known_after_treatment");

/** Fetch the patient's treatments, and draw them on one scale in the API's order. */
export async function compare(patient, fields) {
  const compared = fields.filter(isCompared);
  const own = pick(patient, compared);
  const untreated = pick(patient, fields.filter((field) => !isCompared(field) && !isKnownLater(field)));
  const [answer] = await Promise.all([askFor(untreated, own), useRows()]);
  const nameOf = (treatment) => named(treatment, compared);
  const isSame = (one, other) => compared.every(({ name }) => one[name] === other[name]);
  const reference = nameOf(answer.reference);
  const unrecorded = isSame(own, answer.reference) ? "" : nameOf(own);
  const standing = `${unrecorded ? "The most often recorded treatment" : "This patient's treatment"}; the others are compared with it.`;
  const title = titleOf(patient, fields);

  const rows = answer.treatments.map((one) => {
    const { treatment, interval, support, [config.study.target.name]: at } = one;
    const isReference = isSame(treatment, answer.reference);
    const name = nameOf(treatment);
    return make(
      "li",
      { className: isReference ? "own" : "" },
      make("span", {}, name),
      draw(make("span", { className: "scale" }), { at, from: interval.low, to: interval.high }),
      make("span", {}, `${told(at)} (${between(interval)}), from ${patients(support)}`),
      make("p", {}, isReference ? standing : pairs(one, name, reference)),
    );
  });
  const comparison = make(
    "section",
    { className: "card wide", id: "comparison", tabIndex: -1, ariaLabel: title },
    make("h2", {}, title),
    make("p", { className: "warning", hidden: answer.skill.beats_average }, WORTHLESS),
    ...notes(answer, reference, unrecorded, fields).map((one) => make("p", {}, one)),
    make("ul", { className: "rows" }, ...rows),
  );
  byId("comparison")?.remove();
  document.querySelector("main").append(comparison);
  comparison.focus();
}

/** Compare with the patient's own treatment, or without a reference if it was never recorded. */
async function askFor(patient, reference) {
  try {
    return await ask("/compare", { patient, reference });
  } catch (problem) {
    if (problem.cause) throw new Problem(problem.cause); // a model is loaded, because it has just predicted
    if (!problem.violations?.some(({ loc }) => loc[1] === "reference")) throw problem;
    return ask("/compare", { patient });
  }
}

const pick = (patient, fields) => Object.fromEntries(fields.map(({ name }) => [name, patient[name]]));

/** Say in how many of 100 pairs a treatment does better; never all or none, because no model is that certain. */
function pairs({ win_probability: probability }, name, reference) {
  const won = Math.round(100 * probability);
  if (won >= EVEN[0] && won <= EVEN[1]) return `About even with ${reference}.`;
  const count = won > 99 ? "more than 99" : won < 1 ? "fewer than 1" : `about ${won}`;
  return `The patient on ${name} does better in ${count} of 100 such pairs.`;
}

/** Explain the comparison: the reference, what a pair is, and what the figures do not show. */
function notes({ treatments, averaged_over, assignment }, reference, unrecorded, fields) {
  return [
    unrecorded &&
      `${unrecorded} was never recorded for such a patient. Treatments are compared with ${reference} instead, which ` +
        "was recorded most often.",
    treatments[1] ? pairOf(reference) : `No other treatment was recorded to compare with ${reference}.`,
    averaged(averaged_over, fields),
    assignment === "observed" && CHOSEN,
    "The treatments are in the study's order; this is not a recommendation.",
  ].filter(Boolean);
}

/** Name the columns recorded with the treatments that are not a choice. */
function titleOf(patient, fields) {
  const together = fields.filter(has("recorded_together"));
  const fixed = together.some(isCompared) ? together.filter((field) => !isCompared(field) && !isKnownLater(field)) : [];
  const of = fixed.length ? ` of ${list(fixed.map((field) => worded(patient, field)))}` : "";
  return `Recorded treatments${of}, for this patient`;
}

/** Name a treatment by its values; an amount follows its substance. */
function named(one, compared) {
  const glue = ({ name, unit }) => (unit && one[name] !== null ? " " : ", ");
  return compared.map((field, number) => (number ? glue(field) : "") + worded(one, field)).join("");
}

/** Write a value so that it makes sense on its own. */
function worded(one, { name, label, unit }) {
  const value = one[name];
  if (value === null) return `${lower(label)} not given`;
  return unit || typeof value === "string" ? written(value, unit) : `${lower(label)}: ${written(value)}`;
}
