// Draws the form from the API's fields, offers recorded values, and reports errors.

import { ask, Problem } from "./api.js";
import { byId, has, lower, make, written } from "./page.js";

const form = byId("form");
const isTreatment = has("treatment");
const isKnownLater = has("known_after_treatment");
const isMarked = (field) => /treat|together/.test(field?.roles);

let fields = []; // as the API describes them, each with its input and error
let chain; // fields that offer only values recorded together with the choices before them
let combinations;
let shown; // the patient of the result; the form may have changed since
let answered; // the answer in the result

async function loadForm() {
  byId("loading").textContent = "Loading the form…";
  await drawForm().catch(report);
  byId("loading").textContent = "";
  form.hidden = !fields.length;
  byId("retry").hidden = fields.length;
}

async function drawForm() {
  const values = await ask("/dropdown-values");
  combinations = values.valid_combinations;
  fields = values.fields.filter((field) => !has("target")(field));
  chain = fields.filter(has("recorded_together"));
  chain.sort((one, other) => isKnownLater(one) - isKnownLater(other));
  for (const field of chain) field.values ??= [...new Set(combinations.flatMap((one) => one[field.name] ?? []))];
  // A field between two columns of the treatment, such as its duration, belongs to it.
  const isWithin = (n) => isMarked(fields[n]) || (isMarked(fields[n - 1]) && isMarked(fields[n + 1]));
  const treatment = fields.filter((field, n) => fields.some(isTreatment) && isWithin(n) && !isKnownLater(field));
  treatment.sort((one, other) => chain.includes(other) - chain.includes(one));
  drawGroup("Patient", fields.filter((field) => !isKnownLater(field) && !treatment.includes(field)));
  drawGroup("Treatment", treatment);
  drawGroup("Known only after treatment starts", fields.filter(isKnownLater));
  byId("compare").hidden = !fields.some((field) => isTreatment(field) && field.values);
  narrow();
}

function drawGroup(title, group) {
  if (group.length) byId("predict").before(make("fieldset", {}, make("legend", {}, title), ...group.map(drawField)));
}

export function drawField(field) {
  const { name, label, unit, hint, values, widget, range, step = 1, max_length, example } = field;
  const isOptional = field.nullable || isKnownLater(field);
  const id = field.id ?? `field-${fields.indexOf(field)}`; // a column's name may not be a valid id
  const input = make(values ? "select" : "input", { id, required: !isOptional });
  const fault = make("p", { className: "fault" });
  const before = chain[chain.indexOf(field) - 1];
  const hints = [hint];
  if (before) hints.push(`Choose the ${lower(before.label)} first.`);
  if (!values) input.type = widget;
  if (range && !values) {
    const [min, max] = range;
    Object.assign(input, { min, max, step });
    if (min >= 0) input.inputMode = "decimal"; // this keyboard has no minus
    hints.push(`From ${written(min)} to ${written(max)}.`);
  }
  if (max_length) Object.assign(input, { maxLength: max_length, value: example });
  if (isOptional) hints.push(isKnownLater(field) ? "Leave this empty to predict before treatment." : "Optional.");
  input.dataset.name = name;
  input.setAttribute("aria-describedby", `${id}-notes`);
  Object.assign(field, { input, fault });
  if (values) offer(field, values, isOptional);
  const notes = make("div", { id: `${id}-notes` }, make("p", { className: "hint" }, hints.join(" ")), fault);
  return make("div", {}, make("label", { htmlFor: id }, unit ? `${label} (${unit})` : label), input, notes);
}

/** Offer, in each field of the chain, the values recorded with the choices before it. */
function narrow() {
  let recorded = combinations;
  for (const field of chain) {
    const among = new Set(recorded.map((one) => one[field.name]));
    const values = field.values.filter((value) => among.has(value));
    offer(field, values, among.has(null) || (isKnownLater(field) && values.length));
    const chosen = valueOf(field);
    if (chosen === null && isKnownLater(field)) continue;
    recorded = recorded.filter((one) => one[field.name] === chosen);
  }
}

function offer(field, values, canBeEmpty) {
  const { input } = field;
  const empty = isKnownLater(field) ? "Not known yet" : "Not given";
  const prompt = canBeEmpty ? empty : "Choose…";
  const offered = String([prompt, ...values]);
  if (field.offered === offered) return; // keep the choice, and its error
  field.offered = offered;
  const chosen = values.length === 1 && !canBeEmpty ? values[0] : valueOf(field);
  input.replaceChildren(new Option(prompt, ""), ...values.map((value) => new Option(written(value), value)));
  input.value = values.includes(chosen) ? chosen : "";
  input.required = !canBeEmpty;
  input.disabled = !values.length;
  showFault(field, "");
}

/** Return a field's value in the API's type. */
export function valueOf({ input: { value }, values, step }) {
  if (!value) return null;
  return values ? values.find((one) => String(one) === value) : step ? Number(value) : value;
}

/** Say what is wrong with a field's value; "" if it is valid. */
export function faultOf({ input, label, step }) {
  const { valid, badInput, stepMismatch, valueMissing } = input.validity;
  if (valid || input.disabled) return ""; // a disabled field waits for another choice
  const kind = !step ? "date" : step < 1 ? `number in steps of ${step}` : "whole number";
  if (badInput || stepMismatch) return `${label} must be a ${kind}.`;
  if (valueMissing) return `${label} is missing.`;
  return `${label} must be from ${input.min} to ${input.max}.`;
}

export function showFault({ input, fault }, sentence) {
  fault.textContent = sentence;
  input.ariaInvalid = sentence ? "true" : null;
}

function focusFirstFault() {
  form.querySelector("[aria-invalid]")?.focus();
}

function say(sentence) {
  byId("message").textContent = sentence;
}

async function report(problem) {
  if (!(problem instanceof Problem)) {
    console.error(problem); // a fault of this page, not of the request
    return say("Something went wrong on this page. Reload it and try again.");
  }
  const { message, violations } = problem;
  say(message);
  if (violations.length) say((await import("./refusal.js")).place(violations, fields, showFault));
  focusFirstFault();
}

/** Make a button act, one click at a time; Enter in a field clicks the form's button. */
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
      await report(problem);
    } finally {
      button.ariaDisabled = null;
    }
  });
}

async function predict() {
  for (const field of fields) showFault(field, faultOf(field));
  if (!form.checkValidity()) return focusFirstFault();
  const patient = Object.fromEntries(fields.map((field) => [field.name, valueOf(field)]));
  byId("result").hidden = true;
  for (const id of ["comparison", "outcome"]) byId(id)?.remove();
  byId("explanation").replaceChildren();
  const [answer, { show }] = await Promise.all([ask("/predict", patient), import("./result.js")]);
  show(answer, patient, fields);
  [shown, answered] = [patient, answer];
}

form.addEventListener("input", ({ target }) => {
  const field = fields.find(({ input }) => input === target);
  showFault(field, "");
  if (chain.includes(field)) narrow();
});
onClick("predict", predict);
// Loaded on demand
onClick("explain", async () => (await import("./explain.js")).explain(shown, fields));
onClick("compare", async () => (await import("./compare.js")).compare(shown, fields));
onClick("record", async () => (await import("./outcome.js")).disclose(answered));
onClick("retry", async () => {
  await loadForm();
  fields[0]?.input.focus();
});
loadForm();
