// Asks the API what the form can offer, sends the form, and shows the answer.
// Fields, combinations and errors share the API's names, so nothing here translates between them.

const BANDS = [
  { name: "low", under: 4 },
  { name: "moderate", under: 7 },
  { name: "high", under: Infinity },
];

// Each of these offers only what was recorded together with the choices before it.
const COMBINATION = ["Condition", "Drug_Name", "Dosage_mg", "Side_Effects"];
const NUMBERS = ["Age", "Dosage_mg", "Treatment_Duration_days"];
const WORTHLESS =
  "This model does not beat always answering the average. Do not read differences between its scores as differences between patients.";
const PATIENCE_MS = 30_000; // API Gateway itself gives up after 29 s

const byId = (id) => document.getElementById(id);
const form = byId("form");
const fields = [...form.querySelectorAll("input, select")];
const field = (name) => fields.find((one) => one.name === name);

let apiUrl;
let combinations = [];

// ---- Asking ----

/** When the API gives no answer to use: one sentence, and what it said about single fields. */
class Problem extends Error {
  constructor(sentence, violations = []) {
    super(sentence);
    this.violations = violations;
  }
}

async function ask(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  } catch (fault) {
    throw new Problem(
      fault.name === "TimeoutError"
        ? "The service took too long to answer. Please try again."
        : "The service cannot be reached. Check the connection and try again.",
    );
  }
  // A gateway's own errors need not be JSON.
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw problemOf(response.status, answer);
}

function problemOf(status, answer) {
  if (status === 503) {
    return new Problem("No model is loaded yet. Once one has been trained, try again.");
  }
  const sentence = answer?.detail ?? `The service could not answer (status ${status}). Please try again.`;
  return new Problem(sentence, answer?.errors);
}

function predict(patient) {
  return ask(`${apiUrl}/predict`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(patient),
  });
}

// ---- Offering ----

async function loadForm() {
  byId("retry").hidden = true;
  say("");
  byId("loading").textContent = "Loading the form…";
  try {
    apiUrl = (await ask("config.json")).api_url.replace(/\/$/, "");
    offerAll(await ask(`${apiUrl}/dropdown-values`));
    form.hidden = false;
  } catch (problem) {
    report(problem);
    byId("retry").hidden = false;
  } finally {
    byId("loading").textContent = "";
  }
}

/** Give a field a place for its hint and its fault, both read out along with its label. */
function addNotes(input) {
  const notes = ["hint", "fault"].map((kind) => {
    const note = document.createElement("p");
    note.className = kind;
    note.id = `${input.name}-${kind}`;
    return note;
  });
  notes[0].textContent = input.dataset.hint ?? "";
  input.after(...notes);
  input.setAttribute("aria-describedby", notes.map(({ id }) => id).join(" "));
}

function offerAll(values) {
  combinations = values.valid_combinations;
  offerRange(field("Age"), values.age_range);
  offerRange(field("Treatment_Duration_days"), values.duration_range);
  offer(field("Gender"), values.genders);
  narrow();
}

function offerRange(input, [min, max]) {
  Object.assign(input, { min, max });
  byId(`${input.name}-hint`).textContent = `From ${min} to ${max}.`;
}

/** Offer, in each field of the combination, what was recorded with the choices before it. */
function narrow() {
  let recorded = combinations;
  for (const name of COMBINATION) {
    const select = field(name);
    offer(select, [...new Set(recorded.map((one) => String(one[name])))]);
    recorded = recorded.filter((one) => String(one[name]) === select.value);
  }
}

function offer(select, values) {
  const offered = [...select.options].map((option) => option.value);
  // Unchanged: keep what is chosen, and its fault.
  if (offered.length && String(offered) === String(["", ...values])) return;
  const chosen = values.length === 1 ? values[0] : select.value;
  const prompt = values.length ? "Choose…" : `Choose a ${select.dataset.waitsFor} first`;
  select.replaceChildren(new Option(prompt, ""), ...values.map((value) => new Option(value, value)));
  select.value = values.includes(chosen) ? chosen : "";
  select.disabled = !values.length;
  showFault(select, "");
}

// ---- Checking ----

const labelOf = (input) => input.labels[0].textContent.replace(/ \(.*/, "");

/** What is wrong with a field's value, as a sentence; empty if nothing is. */
function faultOf(input) {
  const { valid, badInput, stepMismatch, valueMissing } = input.validity;
  if (valid || input.disabled) return ""; // a disabled field waits for another to be chosen
  if (badInput || stepMismatch) return `${labelOf(input)} must be a whole number.`;
  if (valueMissing) return `${labelOf(input)} is missing.`;
  return `${labelOf(input)} must be from ${input.min} to ${input.max}.`;
}

function showFault(input, sentence) {
  byId(`${input.name}-fault`).textContent = sentence;
  if (sentence) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

function focusFirstFault() {
  fields.find((input) => input.hasAttribute("aria-invalid"))?.focus();
}

// ---- Showing ----

function say(sentence) {
  byId("message").textContent = sentence;
}

function sentenceOf(subject, { msg, type }) {
  if (type === "unrecorded_combination") {
    return "This condition, drug, dosage and side effect were never recorded together. Choose another combination.";
  }
  const words = type === "missing" ? `${subject} is missing` : msg.replace(/^(Input|String|Value)\b/, subject);
  return /[.!?]$/.test(words) ? words : `${words}.`;
}

/** Show each violation at its field, and what belongs to no field as a message. */
function report(problem) {
  if (!(problem instanceof Problem)) {
    console.error(problem); // a fault of this page, not of the request
    return say("Something went wrong in this page. Reload it and try again.");
  }
  const elsewhere = [];
  for (const violation of problem.violations) {
    const input = field(violation.loc[1]);
    if (input) showFault(input, sentenceOf(labelOf(input), violation));
    else elsewhere.push(sentenceOf("The request", violation));
  }
  say(problem.violations.length ? elsewhere.join(" ") : problem.message);
  focusFirstFault();
}

function show(prediction, patient) {
  const score = prediction.Improvement_Score;
  const band = BANDS.find(({ under }) => score < under).name;
  byId("score").textContent = score.toFixed(2);
  byId("band").textContent = `${band} improvement expected`;
  byId("interval").textContent = spread(prediction);
  byId("warning").hidden = prediction.skill.beats_average;
  byId("warning").textContent = WORTHLESS;
  byId("described").textContent = describe({ ...patient, Patient_ID: prediction.Patient_ID });
  byId("disclaimer").textContent = prediction.disclaimer;
  byId("model-version").textContent = prediction.model_version;
  byId("result").dataset.band = band;
  showResult(true);
  byId("answer").scrollIntoView({ block: "nearest" }); // on a phone it lies below the form
}

function showResult(shown) {
  byId("result").hidden = !shown;
  byId("no-result").hidden = shown;
}

/** Say how sure the score is, and on how many patients of this treatment it rests. */
function spread({ interval, support }) {
  const patients = support === 1 ? "1 patient" : `${support} patients`;
  return (
    `Between ${interval.low.toFixed(2)} and ${interval.high.toFixed(2)}: ` +
    `${Math.round(100 * interval.coverage)} of 100 such intervals hold the recorded score. ` +
    `The model was trained on ${patients} with this very treatment and side effect.`
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

// ---- Acting ----

function patientFromForm() {
  const patient = Object.fromEntries(new FormData(form));
  for (const name of NUMBERS) patient[name] = Number(patient[name]);
  return patient;
}

function setBusy(busy) {
  // Not `disabled`: that would take the keyboard's focus away.
  byId("predict").setAttribute("aria-disabled", busy);
  byId("predict").textContent = busy ? "Predicting…" : "Predict improvement";
}

const isBusy = () => byId("predict").getAttribute("aria-disabled") === "true";

async function submit(event) {
  event.preventDefault();
  if (isBusy()) return;
  say("");
  for (const input of fields) showFault(input, faultOf(input));
  if (!form.checkValidity()) return focusFirstFault();

  const patient = patientFromForm();
  setBusy(true);
  try {
    show(await predict(patient), patient);
  } catch (problem) {
    showResult(false);
    report(problem);
  } finally {
    setBusy(false);
  }
}

fields.forEach(addNotes);
form.addEventListener("submit", submit);
form.addEventListener("input", ({ target }) => {
  showFault(target, "");
  if (COMBINATION.includes(target.name)) narrow();
});
byId("retry").addEventListener("click", async () => {
  await loadForm();
  (form.hidden ? byId("retry") : fields[0]).focus();
});
loadForm();
