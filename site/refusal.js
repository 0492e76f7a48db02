// Shows the API's validation errors at their fields; loaded on demand.

import { has, list, lower } from "./page.js";

/** Show each error at its field, and return those without a field as sentences. */
export function place(violations, fields, showFault) {
  const elsewhere = [];
  for (const violation of violations) {
    const field = fields.find(({ name }) => name === violation.loc.slice(1).at(-1));
    if (field) showFault(field, sentenceOf(field.label, violation));
    else elsewhere.push(sentenceOf("The request", violation, fields));
  }
  return elsewhere.join(" ");
}

function sentenceOf(subject, { loc, msg, type }, fields) {
  if (type === "unrecorded_combination") {
    if (loc[1] === "patient") return "No treatment was recorded for such a patient, so there is nothing to compare.";
    const together = fields.filter(has("recorded_together"));
    const names = list(together.map(({ label }) => lower(label)));
    return `These values were never recorded together. Choose another combination of ${names}.`;
  }
  const words = type === "missing" ? `${subject} is missing` : msg.replace(/^(Input|String|Value)\b/, subject);
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
