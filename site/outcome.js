// Records the outcome of a prediction, by its ID; loaded on demand.

import { ask, config } from "./api.js";
import { drawField, faultOf, showFault, valueOf } from "./form.js";
import { byId, make } from "./page.js";
import { useRows } from "./rows.js";

const WAITS = "Recorded. It counts after the daily run that captures the prediction.";

/** Open a form under the prediction, or close it again. */
export async function disclose({ prediction_id: id }) {
  const before = byId("outcome");
  byId("record").ariaExpanded = `${!before}`;
  if (before) return before.remove();
  await useRows();
  const { name, label, unit, range, decimals } = config.study.target;
  const asked = { roles: [], hint: "" };
  const fields = [
    { ...asked, id: "outcome-value", name, label, unit, range, step: 10 ** -decimals, widget: "number" },
    { ...asked, id: "outcome-date", name: "observed_at", label: "Date observed", step: 0, widget: "date" },
  ];
  const said = make("p", { role: "status" });
  const button = make("button", {}, "Record");
  const form = make(
    "form",
    { id: "outcome", noValidate: true, autocomplete: "off" },
    ...idOf(id, said),
    make("fieldset", {}, make("legend", {}, "The outcome"), ...fields.map(drawField)),
    button,
    said,
  );
  const [value, date] = fields.map(({ input }) => input);
  const today = new Date().toLocaleDateString("sv"); // in ISO's format
  Object.assign(date, { value: today, min: "1900-01-01", max: today });
  form.addEventListener("input", ({ target }) => showFault(fields.find(({ input }) => input === target), ""));
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    if (button.ariaDisabled) return;
    button.ariaDisabled = "true";
    said.textContent = "";
    said.textContent = await record(id, fields, form).catch(sentenceOf);
    button.ariaDisabled = null;
  });
  byId("result").append(form);
  value.focus();
}

/** Show the ID, which is needed to record the outcome later. */
function idOf(id, said) {
  const input = make("input", { id: "prediction-id", value: id, readOnly: true, spellcheck: false });
  const copy = make("button", { type: "button", className: "plain" }, "Copy ID");
  input.addEventListener("focus", () => input.select());
  copy.addEventListener("click", async () => {
    input.select();
    const copied = await (navigator.clipboard?.writeText(id) ?? Promise.reject()).then(
      () => true,
      () => document.execCommand("copy"), // the only way on a page without TLS
    );
    said.textContent = copied ? "Copied." : "This browser did not let the page copy. The ID is selected, so that you can copy it yourself.";
  });
  const hint = make("p", { className: "hint", id: "id-notes" }, "Keep it with the patient's notes: you need it to record the outcome later.");
  input.setAttribute("aria-describedby", hint.id);
  return [make("label", { htmlFor: input.id }, "Prediction ID"), input, hint, copy];
}

/** Send the outcome, and return the result as a sentence. */
async function record(id, fields, form) {
  for (const field of fields) showFault(field, faultOf(field));
  if (!form.checkValidity()) return focusFirstFault(form);
  const said = Object.fromEntries(fields.map((field) => [field.name, valueOf(field)]));
  const { outcomes } = await ask("/outcomes", { outcomes: [{ prediction_id: id, ...said }] });
  const [{ status, message, errors }] = outcomes;
  if (!errors) return status === "waiting" ? WAITS : message;
  const elsewhere = (await import("./refusal.js")).place(errors, fields, showFault);
  focusFirstFault(form);
  return elsewhere;
}

function focusFirstFault(form) {
  form.querySelector("[aria-invalid]")?.focus();
  return "";
}

/** Say why there was no answer; a 503 here has another cause than a missing model. */
function sentenceOf(problem) {
  if (!("violations" in problem)) console.error(problem);
  return problem.cause || problem.message;
}
