// Loads the style sheet for rows, which a page needs only when it shows some.

import { make } from "./page.js";

let styled;

/** Wait for rows.css; without it, rows are only plainer. */
export function useRows() {
  styled ??= new Promise((resolve) => {
    document.head.append(make("link", { rel: "stylesheet", href: "rows.css", onload: resolve, onerror: resolve }));
  });
  return styled;
}
