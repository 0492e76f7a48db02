// Shows the model card: the verdict, what it rests on, and how the model came to serve.

import { ask, config, Problem } from "./api.js";
import { byId, list as inWords, lower, make, minus, WORTHLESS } from "./result.js";

let labels = {}; // of the study's columns
let together = []; // the columns of which combinations were recorded

const unit = () => config.study.target.unit;
const scaled = (value) => minus(value.toFixed(config.study.target.decimals + 1));
const number = (value) => minus(value.toFixed(3));
/** Write an estimate with its interval; a small group has none. */
const sure = (estimate, write = scaled) =>
  estimate ? `${write(estimate.value)} (${write(estimate.low)} to ${write(estimate.high)})` : "too few rows";
const words = (name) => name.replaceAll("_", " ");
const labelOf = (name) => labels[name] ?? words(name);

const card = (title, ...inside) => make("section", { className: "card wide" }, make("h2", {}, title), ...inside);
const list = (sentences) => make("ul", {}, ...sentences.map((one) => make("li", {}, one)));

/** Make a table; of each row the first cell is its heading. */
function table(headings, rows) {
  const cells = ([first, ...rest]) => [
    make("th", { scope: "row" }, first),
    ...rest.map((cell) => make("td", {}, cell)),
  ];
  const head = make("tr", {}, ...headings.map((one) => make("th", { scope: "col" }, one)));
  const body = rows.map((row) => make("tr", {}, ...cells(row)));
  const whole = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { className: "table", tabIndex: 0, role: "region", ariaLabel: headings[0] }, whole);
}

function verdict({ verdict: { candidate, average, ...verdict } }) {
  return card(
    "Verdict",
    make("p", { className: "warning", hidden: verdict.beats_average }, WORTHLESS),
    list(verdict.reasons),
    table(
      ["Measure", "The model", "Always the average"],
      [
        [`RMSE, ${unit()}`, sure(candidate.rmse), sure(average.rmse)],
        [`MAE, ${unit()}`, sure(candidate.mae), sure(average.mae)],
        ["R²", sure(candidate.r2, number), sure(average.r2, number)],
      ],
    ),
    make(
      "p",
      { className: "hint" },
      `On ${verdict.rows} held-out rows; in brackets, ${Math.round(100 * verdict.confidence)}% bootstrap intervals.`,
    ),
  );
}

function subgroups({ subgroups }) {
  if (!subgroups.length) return "";
  const rows = subgroups.map((one) => [
    `${labelOf(one.feature)}: ${one.group}`,
    `${one.rows}`,
    sure(one.rmse),
    sure(one.mean_error),
  ]);
  return card("For whom it errs", table(["Group", "Rows", `RMSE, ${unit()}`, `Mean error, ${unit()}`], rows));
}

function importances({ importances }) {
  const ranked = importances.toSorted((one, other) => other.mean - one.mean);
  const largest = Math.max(...ranked.map(({ mean }) => Math.abs(mean))) || 1;
  const rows = ranked.map(({ feature, mean, std }) => {
    const bar = make("span", { className: mean < 0 ? "bar bad" : "bar" });
    bar.style.setProperty("--share", Math.abs(mean) / largest);
    return make("li", {}, make("span", {}, labelOf(feature)), bar, make("span", {}, `${scaled(mean)} ± ${scaled(std)}`));
  });
  const hint = `How much the RMSE grows, in ${unit()}, when a feature is shuffled among the held-out rows.`;
  return card("What it looks at", make("ul", { className: "rows" }, ...rows), make("p", { className: "hint" }, hint));
}

function origin({ data, training, interval, lineage, overview }) {
  const settings = Object.entries(training.hyperparameters).map(([name, value]) => `${words(name)} ${value ?? "none"}`);
  const stages = Object.entries(lineage.stages).map(([stage, { wrote, from_cache_of }]) => [
    words(stage),
    Object.entries(wrote).map(([name, digest]) => `${words(name)} ${digest.slice(0, 12)}`).join(", "),
    from_cache_of ?? "this run",
  ]);
  const recorded = together.length
    ? `, with ${data.combinations} recorded combinations of ${inWords(together.map((name) => lower(labelOf(name))))}`
    : "";
  return card(
    "Where it comes from",
    list([
      `${overview.algorithm}: ${settings.join(", ")}, seed ${training.seed}.`,
      `Trained on ${data.training_rows} of ${data.rows} rows${recorded}; data set ${data.sha256.slice(0, 12)}.`,
      `Intervals of ±${scaled(interval.half_width)} ${unit()}, from ${interval.residuals} out-of-fold errors.`,
      ...overview.limits,
    ]),
    table(["Stage", "Wrote (SHA-256)", "Computed by"], stages),
  );
}

function history({ ledger }) {
  const rows = ledger.map((one) => [
    `${one.sequence}`,
    one.model_version,
    new Date(one.promoted_at).toLocaleString("en-GB", { timeZone: "UTC", timeZoneName: "short" }),
    one.why,
  ]);
  return card("How it came to serve", table(["Promotion", "Version", "When", "Why"], rows));
}

try {
  const [model, { fields }] = [await ask("/model"), await ask("/dropdown-values")];
  labels = Object.fromEntries(fields.map(({ name, label }) => [name, label]));
  together = fields.filter(({ roles }) => roles.includes("recorded_together")).map(({ name }) => name);
  byId("serves").textContent = `${model.model_version} serves. ${model.overview.intended_use}`;
  byId("card").append(...[verdict, subgroups, importances, origin, history].map((section) => section(model)));
} catch (problem) {
  if (!(problem instanceof Problem)) throw problem;
  byId("serves").textContent = "";
  byId("message").textContent = problem.message;
}
