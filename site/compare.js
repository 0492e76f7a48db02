// Sets the recorded treatments of a patient beside one of them, and recommends none; loaded when it is asked for.

import { ask, config, Problem } from "./api.js";
import { byId, has, list, lower, make, WORTHLESS, written } from "./page.js";
import { averaged, between, draw, patients, told } from "./result.js";
import { useRows } from "./rows.js";

const EVEN = [45, 55]; // of 100 pairs: what is no difference worth a word
const pairOf = (reference) =>
  `A pair is two patients like this one, one on the treatment of the row and the other on ${reference}. The one with ` +
  "the better outcome does better, by the model's scores and its errors on patients that it was not trained on; ties " +
  "count half.";
const CHOSEN =
  "Recorded patients chose, or were chosen for, their treatments for reasons, which may be why outcomes differ: this " +
  "does not show what a treatment causes.";

const isCompared = (field) => has("treatment")(field) && field.values;
const isKnownLater = has("known_after_treatment");

/** Ask for the patient's treatments, and draw all on the same scale in the order in which they come. */
export async function compare(patient, fields) {
  const compared = fields.filter(isCompared);
  const own = pick(patient, compared);
  const untreated = pick(patient, fields.filter((field) => !isCompared(field) && !isKnownLater(field)));
  const [answer] = await Promise.all([askFor(untreated, own), useRows()]);
  const nameOf = (treatment) => named(treatment, compared);
  const isSame = (one, other) => compared.every(({ name }) => one[name] === other[name]);
  const reference = nameOf(answer.reference);
  const unrecorded = isSame(own, answer.reference) ? "" : nameOf(own);
  const standing = `${unrecorded ? "The most recorded one" : "This patient's own"}: the others are compared with it.`;
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

/** Ask with the patient's own treatment to set others beside, and without it where it was never recorded. */
async function askFor(patient, reference) {
  try {
    return await ask("/compare", { patient, reference });
  } catch (problem) {
    if (problem.cause) throw new Problem(problem.cause); // one that predicts is loaded
    if (!problem.violations?.some(({ loc }) => loc[1] === "reference")) throw problem;
    return ask("/compare", { patient });
  }
}

const pick = (patient, fields) => Object.fromEntries(fields.map(({ name }) => [name, patient[name]]));

/** Say of 100 pairs how many go to a treatment; no model is so sure that it would be all or none. */
function pairs({ win_probability: probability }, name, reference) {
  const won = Math.round(100 * probability);
  if (won >= EVEN[0] && won <= EVEN[1]) return `About even with ${reference}.`;
  const count = won > 99 ? "more than 99" : won < 1 ? "fewer than 1" : `about ${won}`;
  return `Of 100 such pairs, the patient on ${name} does better in ${count}.`;
}

/** Say what was compared with what, what a pair is, and what the figures cannot tell. */
function notes({ treatments, averaged_over, assignment }, reference, unrecorded, fields) {
  return [
    unrecorded &&
      `${unrecorded} was never recorded with such a patient, so ${reference}, the most recorded one, stands in its ` +
        "place.",
    treatments[1] ? pairOf(reference) : `Nothing was recorded to compare ${reference} with.`,
    averaged(averaged_over, fields),
    assignment === "observed" && CHOSEN,
    "In the study's own order; nothing here is a recommendation.",
  ].filter(Boolean);
}

/** Name what the treatments are of: what was recorded with them, and is no choice. */
function titleOf(patient, fields) {
  const together = fields.filter(has("recorded_together"));
  const fixed = together.some(isCompared) ? together.filter((field) => !isCompared(field) && !isKnownLater(field)) : [];
  const of = fixed.length ? ` of ${list(fixed.map((field) => worded(patient, field)))}` : "";
  return `Recorded treatments${of}, for this patient`;
}

/** Name a treatment by its values; an amount follows what it is of. */
function named(one, compared) {
  const glue = ({ name, unit }) => (unit && one[name] !== null ? " " : ", ");
  return compared.map((field, number) => (number ? glue(field) : "") + worded(one, field)).join("");
}

/** Write a value so that it can be understood by itself. */
function worded(one, { name, label, unit }) {
  const value = one[name];
  if (value === null) return `${lower(label)} not given`;
  return unit || typeof value === "string" ? written(value, unit) : `${lower(label)}: ${written(value)}`;
}
