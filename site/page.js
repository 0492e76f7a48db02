// Shared by all pages: elements, and text for labels and values.

export const WORTHLESS =
  "This model does not beat a baseline that always predicts the average. Do not read differences between its predictions as differences between patients.";

export const byId = (id) => document.getElementById(id);
export const has = (role) => (field) => field.roles.includes(role);

export function make(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

export const list = (words) => new Intl.ListFormat("en-GB").format(words);
/** Write a label inside a sentence, but leave "CD4 count" unchanged. */
export const lower = (label) => label.replace(/^\p{Lu}(?=\p{Ll})/u, (first) => first.toLowerCase());
export const minus = (value) => `${value}`.replace(/^-(?=\d)/, "−");
export const written = (value, unit) => `${{ true: "Yes", false: "No" }[value] ?? minus(value)} ${unit ?? ""}`.trim();
