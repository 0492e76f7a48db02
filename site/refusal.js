// Says what the API refused at the fields that it names; loaded when it refuses something.

import { has, list, lower } from "./page.js";

/** Show each violation at its field, and give what belongs to no field as sentences. */
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
    if (loc[1] === "patient") return "No treatment was recorded with such a patient: there is nothing to compare.";
    const together = fields.filter(has("recorded_together"));
    const names = list(together.map(({ label }) => lower(label)));
    return `These were never recorded together. Choose another combination of ${names}.`;
  }
  const words = type === "missing" ? `${subject} is missing` : msg.replace(/^(Input|String|Value)\b/, subject);
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
