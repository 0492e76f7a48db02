// Compares the treatments that fit a patient, and recommends none; loaded when it is asked for.

import { ask, config } from "./api.js";
import { between, byId, draw, list, lower, make, told, WORTHLESS, written } from "./result.js";
import { useRows } from "./rows.js";

const MOST_PATIENTS = 1_000; // in a batch,
const MOST_BYTES = 1_000_000; // and of one
const ASSIGNED = {
  observed: "Patients were not assigned to treatments at random: who was given which may explain a difference.",
  randomised: "Patients were assigned to treatments at random.",
};

const has = (role) => (field) => field.roles.includes(role);
const overlap = (one, other) => one.low <= other.high && other.low <= one.high;

/** Score the patient with each treatment in one request, and draw all on the same scale. */
export async function compare(patient, fields, combinations) {
  const { title, varied, fitting } = treatmentsOf(patient, fields, combinations);
  const nameOf = (one) => named(one, varied);
  const isOwn = (one) => varied.every(({ name }) => one[name] === patient[name]);
  const most = Math.min(MOST_PATIENTS, Math.floor(MOST_BYTES / (2 * new Blob([JSON.stringify(patient)]).size)));
  const others = fitting.filter((one) => !isOwn(one));
  const treatments = [patient, ...others.slice(0, most - 1).map((one) => ({ ...patient, ...one }))];
  treatments.sort((one, other) => nameOf(one).localeCompare(nameOf(other), "en", { numeric: true }));
  const [answer] = await Promise.all([ask("/predict/batch", { patients: treatments }), useRows()]);
  const { interval } = answer.predictions[treatments.indexOf(patient)];

  let alike = 0;
  const rows = answer.predictions.map((prediction, number) => {
    const value = prediction[config.study.target.name];
    const { low: from, high: to } = prediction.interval;
    const own = treatments[number] === patient;
    const same = overlap(prediction.interval, interval);
    if (same && !own) alike += 1;
    const verdict = own ? "this treatment" : same ? "indistinguishable" : "differs";
    return make(
      "li",
      { className: own ? "own" : "" },
      make("span", {}, nameOf(treatments[number])),
      draw(make("span", { className: "scale" }), { at: value, from, to }),
      make("span", {}, `${told(value)} (${between(prediction.interval)}) ${verdict}`),
    );
  });
  const comparison = make(
    "section",
    { className: "card wide", id: "comparison", tabIndex: -1, ariaLabel: title },
    make("h2", {}, title),
    make("p", { className: "warning", hidden: answer.skill.beats_average }, WORTHLESS),
    make("p", {}, summary(alike, rows.length - 1, others.length, nameOf(patient))),
    make("ul", { className: "rows" }, ...rows),
  );
  byId("comparison")?.remove();
  document.querySelector("main").append(comparison);
  comparison.focus();
}

/** Find what can be chosen for a patient: what was recorded with all that is no choice, if that counts. */
function treatmentsOf(patient, fields, combinations) {
  const together = fields.filter(has("recorded_together"));
  if (!together.some(has("treatment"))) {
    const varied = fields.filter((field) => has("treatment")(field) && field.values);
    return { title: "Treatments, for this patient", varied, fitting: everyChoiceOf(varied) };
  }
  const varied = together.filter((field) => has("treatment")(field) || has("known_after_treatment")(field));
  const fixed = together.filter((field) => !varied.includes(field));
  const of = fixed.length ? ` of ${list(fixed.map((field) => worded(patient, field)))}` : "";
  return {
    title: `Recorded treatments${of}, for this patient`,
    varied,
    fitting: combinations.filter((one) => fixed.every(({ name }) => one[name] === patient[name])),
  };
}

/** Combine all values of some fields, up to what a batch can hold. */
function everyChoiceOf(fields) {
  const combine = (all, { name, values }) =>
    all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))).slice(0, 2 * MOST_PATIENTS);
  return fields.reduce(combine, [{}]);
}

/** Name a treatment by its values; an amount follows what it is of. */
function named(one, varied) {
  const glue = ({ name, unit }) => (unit && one[name] !== null ? " " : ", ");
  return varied.map((field, number) => (number ? glue(field) : "") + worded(one, field)).join("");
}

/** Write a value so that it can be understood by itself. */
function worded(one, { name, label, unit }) {
  const value = one[name];
  if (value === null) return `${lower(label)} not given`;
  return unit || typeof value === "string" ? written(value, unit) : `${lower(label)}: ${written(value)}`;
}

function summary(alike, compared, all, name) {
  if (!compared) return `Nothing else was recorded to compare ${name} with.`;
  const of = compared < all ? `the first ${compared} of ${all}` : compared;
  return (
    `${alike} of ${of} others have an interval that overlaps that of ${name}: they are indistinguishable from it. ` +
    `${ASSIGNED[config.study.assignment]} In alphabetical order; nothing here is a recommendation.`
  );
}
