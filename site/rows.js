// Loads the style of rows, which a page can do without until it shows some.

import { make } from "./page.js";

let styled;

/** Wait for rows.css; without it, rows are merely plainer. */
export function useRows() {
  styled ??= new Promise((resolve) => {
    document.head.append(make("link", { rel: "stylesheet", href: "rows.css", onload: resolve, onerror: resolve }));
  });
  return styled;
}
