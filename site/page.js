// What every page is made of: elements, and words for labels and values.

export const WORTHLESS =
  "This model does not beat always answering the average. Do not read differences between its predictions as differences between patients.";

export const byId = (id) => document.getElementById(id);
export const has = (role) => (field) => field.roles.includes(role);

export function make(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

export const list = (words) => new Intl.ListFormat("en-GB").format(words);
/** Write a label within a sentence, but leave "CD4 count" as it is. */
export const lower = (label) => label.replace(/^\p{Lu}(?=\p{Ll})/u, (first) => first.toLowerCase());
export const minus = (value) => `${value}`.replace(/^-(?=\d)/, "−");
export const written = (value, unit) => `${{ true: "Yes", false: "No" }[value] ?? minus(value)} ${unit ?? ""}`.trim();
