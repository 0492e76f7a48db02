// Shared by everything that shows a model's figures: estimates as text, and tables.

import { make } from "./page.js";

export const percent = (share) => `${Math.round(100 * share)}%`;
export const between = ({ low, high }, write) => `${write(low)} to ${write(high)}`;
/** Write an estimate with its interval; too few rows have none. */
export const estimated = (one, write) => (one ? `${write(one.value)} (${between(one, write)})` : "too few rows");
export const hint = (sentence) => make("p", { className: "hint" }, sentence);
/** Fold a table away under its name. */
export const opened = (name, headings, rows, label) =>
  make("details", {}, make("summary", {}, name), table(headings, rows, label));

/** Make a table; the first cell of each row is its heading. label: for screen readers. */
export function table(headings, rows, label = headings[0]) {
  const cells = ([first, ...rest]) => [
    make("th", { scope: "row" }, first),
    ...rest.map((cell) => make("td", {}, cell)),
  ];
  const head = make("tr", {}, ...headings.map((one) => make("th", { scope: "col" }, one)));
  const body = rows.map((row) => make("tr", {}, ...cells(row)));
  const whole = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { className: "table", tabIndex: 0, role: "region", ariaLabel: label }, whole);
}
