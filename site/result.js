// Shows a prediction: its score and interval in words and on the scale.

const BANDS = [
  { name: "Low", under: 4 },
  { name: "Moderate", under: 7 },
  { name: "High", under: Infinity },
];
export const WORTHLESS =
  "This model does not beat always answering the average. Do not read differences between its scores as differences between patients.";

export const byId = (id) => document.getElementById(id);

/** Make an element of a tag, with its properties and what is in it. */
export function make(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

/** Draw a value and its interval on the scale from 0 to 10; the text beside it says the same. */
export function draw(scale, value, { low, high }) {
  const places = { at: value, from: low, to: high };
  for (const name in places) scale.style.setProperty(`--${name}`, places[name]);
  return scale;
}

export const between = ({ low, high }) => `${low.toFixed(2)} to ${high.toFixed(2)}`;

export function clear() {
  byId("result").hidden = byId("comparison").hidden = true;
  byId("explanation").replaceChildren();
}

export function show(prediction, patient) {
  const { Improvement_Score: score, interval, skill } = prediction;
  const { name } = BANDS.find(({ under }) => score < under);
  byId("score").textContent = score.toFixed(2);
  byId("band").textContent = `${name} improvement expected; low is under 4, high from 7`;
  byId("interval").textContent = spread(prediction);
  byId("warning").hidden = skill.beats_average;
  byId("warning").textContent = WORTHLESS;
  byId("described").textContent = describe(patient);
  byId("model-version").textContent = prediction.model_version;
  byId("result").dataset.band = name;
  byId("result").hidden = false;
  requestAnimationFrame(() => draw(byId("gauge"), score, interval));
  byId("answer").scrollIntoView({ block: "nearest" }); // on a phone it lies below the form
}

/** Say how sure the score is, and on how many patients of this treatment it rests. */
function spread({ interval, support }) {
  const patients = support === 1 ? "1 patient" : `${support} patients`;
  return (
    `Interval ${between(interval)}: ${Math.round(100 * interval.coverage)} of 100 such intervals hold the recorded ` +
    `score. The model was trained on ${patients} with this very treatment and side effect.`
  );
}

/** Say what was asked: the form may be edited while the score stands beside it. */
function describe(patient) {
  return (
    `${patient.Patient_ID}: ${patient.Gender}, ${patient.Age} years, ${patient.Condition}; ` +
    `${patient.Drug_Name} ${patient.Dosage_mg} mg for ${patient.Treatment_Duration_days} days; ` +
    `side effect ${patient.Side_Effects}.`
  );
}
