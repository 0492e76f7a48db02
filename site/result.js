// Shows a prediction: its value and interval, as text and on the target's scale; loaded with the first one.

import { config } from "./api.js";
import { byId, has, list, lower, make, minus, WORTHLESS, written } from "./page.js";

const labels = (fields) => fields.map(({ label }) => label);
const named = (names) => (field) => names.includes(field.name);
export const told = (value) => minus(value.toFixed(config.study.target.decimals));
export const between = ({ low, high }) => `${told(low)} to ${told(high)}`;
export const patients = (count) => `${count} patient${count === 1 ? "" : "s"}`;

/** Say which values a score is averaged over. */
export function averaged(over, fields) {
  const [words, are] = [labels(fields.filter(named(over))).map(lower), over[1] ? "are" : "is"];
  const which = `${list(words)}, which ${are} not known before treatment`;
  return words[0] && `Averaged over ${which}; values that were recorded more often count more.`;
}

/** Place an element on the target's scale; the text beside it says the same. */
export function draw(element, places) {
  const [low, high] = config.study.target.range;
  for (const name in places) element.style.setProperty(`--${name}`, `${(100 * (places[name] - low)) / (high - low)}%`);
  return element;
}

/** Draw the ticks of every scale on the page, and label the gauge's. */
function tick({ first, step, named }) {
  const [low] = config.study.target.range;
  draw(document.body, { first, step: low + step });
  byId("ticks").replaceChildren(...named.map((at) => draw(make("span", {}, minus(at)), { at })));
}

export function show(prediction, patient, fields) {
  const { name, unit, range, bands, higher_is } = config.study.target;
  const { [name]: at, interval, missing = [], averaged_over = [] } = prediction;
  const band = bands.findLastIndex(({ from }) => at >= from);
  const tones = bands[1] ? ["bad", ...bands.slice(2).fill("fair"), "good"] : ["accent"];
  const absent = labels(fields.filter(named(missing)));
  const given = fields.filter((field) => patient[field.name] !== null);
  const said = {
    score: told(at),
    unit: unit === "points" && !range[0] ? `out of ${range[1]}` : unit,
    band: bands[band].name,
    bands: bands[1] && `(${bands.map((one) => `${lower(one.name)} from ${minus(one.from)}`).join(", ")})`,
    interval: spread(prediction, fields.filter((field) => !averaged_over.includes(field.name))),
    averaged: averaged(averaged_over, fields),
    missing: absent[0] && `${list(absent)} ${absent[1] ? "were not given and are" : "was not given and is"} treated as missing.`,
    described: given.map((field) => `${field.label}: ${written(patient[field.name], field.unit)}`).join("; "),
    "model-version": prediction.model_version,
    warning: WORTHLESS,
  };
  for (const id in said) byId(id).textContent = said[id] || "";
  byId("warning").hidden = prediction.skill.beats_average;
  byId("record").hidden = !prediction.prediction_id; // missing from an earlier release's answers
  byId("record").ariaExpanded = "false";
  byId("result").style.setProperty("--tone", `var(--${(higher_is === "better" ? tones : tones.reverse())[band]})`);
  tick(config.ticks);
  byId("result").hidden = false;
  requestAnimationFrame(() => draw(byId("gauge"), { at, from: interval.low, to: interval.high }));
  byId("answer").scrollIntoView({ block: "nearest" }); // on a phone it is below the form
}

/** State the interval of a prediction, and its support in the training data. */
function spread({ interval, support }, known) {
  const together = labels(known.filter(has("recorded_together")));
  const alike = together[0] ? ` with the same ${list(together.map(lower))}` : "";
  return (
    `Prediction interval ${between(interval)}: ${Math.round(100 * interval.coverage)} of 100 such intervals contain the ` +
    `recorded outcome. The model was trained on ${patients(support)}${alike}.`
  );
}
