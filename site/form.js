// Offers what the data recorded, checks and sends the form, and says what is wrong with it.
// Fields, combinations and errors share the API's names, so nothing here translates between them.

import { ask, Problem } from "./api.js";
import { byId, clear, make, show } from "./result.js";

// Each of these offers only what was recorded together with the choices before it.
const COMBINATION = ["Condition", "Drug_Name", "Dosage_mg", "Side_Effects"];
const NUMBERS = ["Age", "Dosage_mg", "Treatment_Duration_days"];

const form = byId("form");
const fields = [...form.querySelectorAll("input, select")];
const field = (name) => fields.find((one) => one.name === name);

let combinations = [];
let shown; // the patient whose score stands beside the form, which may be edited meanwhile

// ---- Offering ----

async function loadForm() {
  byId("retry").hidden = true;
  say("");
  byId("loading").textContent = "Loading the form…";
  try {
    offerAll(await ask("/dropdown-values"));
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
  const hint = make("p", { className: "hint", id: `${input.name}-hint` }, input.dataset.hint ?? "");
  const fault = make("p", { className: "fault", id: `${input.name}-fault` });
  input.after(hint, fault);
  input.setAttribute("aria-describedby", `${hint.id} ${fault.id}`);
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
  let awaited;
  for (const name of COMBINATION) {
    const select = field(name);
    offer(select, [...new Set(recorded.map((one) => String(one[name])))], awaited);
    awaited = labelOf(select).toLowerCase();
    recorded = recorded.filter((one) => String(one[name]) === select.value);
  }
}

function offer(select, values, awaited) {
  const offered = [...select.options].map((option) => option.value);
  // Unchanged: keep what is chosen, and its fault.
  if (offered.length && String(offered) === String(["", ...values])) return;
  const chosen = values.length === 1 ? values[0] : select.value;
  const prompt = values.length ? "Choose…" : `Choose a ${awaited} first`;
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
  input.ariaInvalid = sentence ? "true" : null;
}

function focusFirstFault() {
  fields.find((input) => input.ariaInvalid)?.focus();
}

function say(sentence) {
  byId("message").textContent = sentence;
}

function sentenceOf(subject, { msg, type }) {
  if (type === "unrecorded_combination") {
    return "These were never recorded together. Choose another combination of condition, drug, dosage and side effect.";
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

// ---- Acting ----

function patientFromForm() {
  const patient = Object.fromEntries(new FormData(form));
  for (const name of NUMBERS) patient[name] = Number(patient[name]);
  return patient;
}

/** Run what a button asks for, once at a time; Enter in a field clicks the form's button. */
function onClick(id, act) {
  const button = byId(id);
  button.addEventListener("click", async (click) => {
    click.preventDefault();
    if (button.ariaDisabled) return;
    say("");
    button.ariaDisabled = "true"; // `disabled` would take the keyboard's focus away
    try {
      await act();
    } catch (problem) {
      report(problem);
    } finally {
      button.ariaDisabled = null;
    }
  });
}

async function predict() {
  for (const input of fields) showFault(input, faultOf(input));
  if (!form.checkValidity()) return focusFirstFault();
  const patient = patientFromForm();
  clear();
  show(await ask("/predict", patient), patient);
  shown = patient;
}

fields.forEach(addNotes);
form.addEventListener("input", ({ target }) => {
  showFault(target, "");
  if (COMBINATION.includes(target.name)) narrow();
});
onClick("predict", predict);
// Loaded by those who ask for them
onClick("explain", async () => (await import("./explain.js")).explain(shown));
onClick("compare", async () => (await import("./compare.js")).compare(shown, combinations));
onClick("retry", async () => {
  await loadForm();
  (form.hidden ? byId("retry") : fields[0]).focus();
});
loadForm();
