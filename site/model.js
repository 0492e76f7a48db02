// Shows the model card: the verdict, what it rests on, and how the model came to serve.

import { ask, Problem } from "./api.js";
import { byId, make, WORTHLESS } from "./result.js";

const SCORES = { rmse: "RMSE, points", mae: "MAE, points", r2: "R²" };
const number = (value, digits = 3) => value.toFixed(digits).replace("-", "−");
const sure = ({ value, low, high }) => `${number(value)} (${number(low)} to ${number(high)})`;
const words = (name) => name.replaceAll("_", " ");

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

function verdict({ verdict }) {
  const scores = Object.entries(SCORES).map(([name, title]) => [
    title,
    sure(verdict.candidate[name]),
    sure(verdict.average[name]),
  ]);
  return card(
    "Verdict",
    make("p", { className: "warning", hidden: verdict.beats_average }, WORTHLESS),
    list(verdict.reasons),
    table(["Score", "The model", "Always the average"], scores),
    make(
      "p",
      { className: "hint" },
      `On ${verdict.rows} held-out rows; in brackets, ${100 * verdict.confidence}% bootstrap intervals.`,
    ),
  );
}

function subgroups({ subgroups }) {
  const rows = subgroups.map((one) => [
    `${words(one.feature)}: ${one.group}`,
    `${one.rows}`,
    sure(one.rmse),
    sure(one.mean_error),
  ]);
  return card("For whom it errs", table(["Group", "Rows", "RMSE", "Mean error"], rows));
}

function importances({ importances }) {
  const ranked = importances.toSorted((one, other) => other.mean - one.mean);
  const rows = ranked.map(({ feature, mean, std }) => {
    const bar = make("span", { className: mean < 0 ? "bar less" : "bar" });
    bar.style.setProperty("--share", Math.abs(mean) / ranked[0].mean);
    return make("li", {}, make("span", {}, words(feature)), bar, make("span", {}, `${number(mean)} ± ${number(std)}`));
  });
  const hint = "How much the RMSE grows when a feature is shuffled among the held-out rows.";
  return card("What it looks at", make("ul", { className: "rows" }, ...rows), make("p", { className: "hint" }, hint));
}

function origin({ data, training, interval, lineage, overview }) {
  const settings = Object.entries(training.hyperparameters).map(([name, value]) => `${words(name)} ${value}`);
  const stages = Object.entries(lineage.stages).map(([stage, { wrote, from_cache_of }]) => [
    words(stage),
    Object.entries(wrote).map(([name, digest]) => `${words(name)} ${digest.slice(0, 12)}`).join(", "),
    from_cache_of ?? "this run",
  ]);
  return card(
    "Where it comes from",
    list([
      `${overview.algorithm}: ${settings.join(", ")}, seed ${training.seed}.`,
      `Trained on ${data.training_rows} of ${data.rows} rows, ${data.combinations} recorded treatments; data set ${data.sha256.slice(0, 12)}.`,
      `Intervals of ±${number(interval.half_width, 2)} points, from ${interval.residuals} out-of-fold errors.`,
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
  const model = await ask("/model");
  byId("serves").textContent = `${model.model_version} serves. ${model.overview.intended_use}`;
  byId("card").append(...[verdict, subgroups, importances, origin, history].map((section) => section(model)));
} catch (problem) {
  if (!(problem instanceof Problem)) throw problem;
  byId("serves").textContent = "";
  byId("message").textContent = problem.message;
}
