// Shows the model card: the verdict, what it rests on, and how the model came to serve.

import { ask, config, Problem } from "./api.js";
import { calibration, learning, outcomesAmong, unreplayed, wins } from "./checks.js";
import { byId, has, list as inWords, lower, make, minus, WORTHLESS } from "./page.js";
import { estimated, hint, percent, table } from "./parts.js";

let labels = {}; // of the study's columns
let together = []; // the columns of which combinations were recorded

const unit = () => config.study.target.unit;
const scaled = (value) => minus(value.toFixed(config.study.target.decimals + 1));
const number = (value) => minus(value.toFixed(3));
const sure = (estimate, write = scaled) => estimated(estimate, write);
const words = (name) => name.replaceAll("_", " ");
const labelOf = (name) => labels[name] ?? words(name);

const half = (title, ...inside) => make("section", { className: "card" }, make("h2", {}, title), ...inside);
const list = (sentences) => make("ul", {}, ...sentences.map((one) => make("li", {}, one)));
const namesOf = (columns) => inWords(columns.map((name) => lower(labelOf(name))));

/** Make a card as wide as the page. */
function card(...inside) {
  const whole = half(...inside);
  whole.classList.add("wide");
  return whole;
}

function verdict({ verdict: { candidate, average, baseline, averaged = [], ...verdict } }) {
  const columns = [
    ["The model", candidate],
    ...averaged.map(({ over, scores }) => [`The model, with ${namesOf(over)} not known yet`, scores]),
    ["Always the average", average],
    ...(baseline ? [[baseline.name, baseline.scores]] : []),
  ];
  const row = (name, of, write) => [name, ...columns.map(([, scores]) => sure(of(scores), write))];
  return card(
    "Verdict",
    make("p", { className: "warning", hidden: verdict.beats_average }, WORTHLESS),
    list(verdict.reasons),
    table(
      ["Measure", ...columns.map(([name]) => name)],
      [
        row(`RMSE, ${unit()}`, ({ rmse }) => rmse),
        row(`MAE, ${unit()}`, ({ mae }) => mae),
        row("R²", ({ r2 }) => r2, number),
      ],
    ),
    hint(`On ${verdict.rows} held-out rows; in brackets, ${percent(verdict.confidence)} bootstrap intervals.`),
  );
}

function subgroups({ subgroups, simultaneous, verdict: { confidence } }) {
  if (!subgroups.length) return "";
  const columns = [
    ["Group", (one) => `${labelOf(one.feature)}: ${one.group}`],
    ["Rows", ({ rows }) => `${rows}`],
    [`RMSE, ${unit()}`, ({ rmse }) => sure(rmse)],
    [`Mean error, ${unit()}`, meanError],
    ["Coverage", ({ coverage }) => sure(coverage, percent)],
  ].filter(([name]) => name !== "Coverage" || subgroups.some(({ coverage }) => coverage));
  const cells = subgroups.map((one) => columns.map(([, cell]) => cell(one)));
  return card(
    "For whom it errs",
    table(columns.map(([name]) => name), cells),
    hint(simultaneous ? atOnce(confidence) : "Each interval is for itself: of many groups, some seem off by chance."),
  );
}

/** Give a group's mean error, marked where it stays off zero. */
function meanError({ mean_error: error, off_zero }) {
  if (!off_zero) return sure(error);
  return make("strong", {}, `${sure(error)}: predicted too ${error.value > 0 ? "high" : "low"}`);
}

const atOnce = (confidence) =>
  `Each column's intervals hold for all groups at once, with ${percent(confidence)} confidence. A mean error, ` +
  "predicted less recorded, is marked where its whole interval lies on one side of zero.";

function importances({ importances, learning_curve }) {
  const beside = learning_curve ? half : card;
  const ranked = importances.toSorted((one, other) => other.mean - one.mean);
  const largest = Math.max(...ranked.map(({ mean }) => Math.abs(mean))) || 1;
  const rows = ranked.map(({ feature, mean, std }) => {
    const bar = make("span", { className: mean < 0 ? "bar bad" : "bar" });
    bar.style.setProperty("--share", Math.abs(mean) / largest);
    return make("li", {}, make("span", {}, labelOf(feature)), bar, make("span", {}, `${scaled(mean)} ± ${scaled(std)}`));
  });
  const growth = `How much the RMSE grows, in ${unit()}, when a feature is shuffled among the held-out rows.`;
  return beside("What it looks at", make("ul", { className: "rows" }, ...rows), hint(growth));
}

/** Say how wide intervals are, and for whom they have a width of their own. */
function widths({ half_width, residuals, by = [], groups = [] }) {
  const all = `±${scaled(half_width)} ${unit()}, from ${residuals} out-of-fold errors`;
  if (!groups.length) return `Intervals of ${all}.`;
  const each = groups.map((one) => `±${scaled(one.half_width)} for ${one.of.join(", ")} (${one.residuals} errors)`);
  return `Intervals by ${namesOf(by)}: ${each.join("; ")}; for all others ${all}.`;
}

const setting = ([name, value]) => `${words(name)} ${typeof value === "string" ? words(value) : value ?? "none"}`;

function origin({ data, training, interval, lineage, overview }) {
  const settings = Object.entries(training.hyperparameters).map(setting);
  const stages = Object.entries(lineage.stages).map(([stage, { wrote, from_cache_of }]) => [
    words(stage),
    Object.entries(wrote).map(([name, digest]) => `${words(name)} ${digest.slice(0, 12)}`).join(", "),
    from_cache_of ?? "this run",
  ]);
  const recorded = together.length
    ? `, with ${data.combinations} recorded combinations of ${namesOf(together)}`
    : "";
  return card(
    "Where it comes from",
    list([
      `${overview.algorithm}: ${settings.join(", ")}, seed ${training.seed}.`,
      `Trained on ${data.training_rows} of ${data.rows} rows${recorded}; data set ${data.sha256.slice(0, 12)}.`,
      ...(data.outcomes ? [outcomesAmong(data.outcomes)] : []),
      widths(interval),
      ...overview.limits,
    ]),
    table(["Stage", "Wrote (SHA-256)", "Computed by"], stages),
  );
}

/** Show what was checked on held-out rows, each a card; an earlier release's card knows less. */
const cardOf = (title, inside) => (inside.length ? half(title, ...inside) : "");
const calibrated = (model) => cardOf("Recorded beside predicted", calibration(model, config.study.target));
const won = (model) => cardOf("Which of two does better", wins(model));
const learned = (model) => cardOf("What more rows would bring", learning(model, config.study.target));

/** Show what became of it since; the module that draws it is loaded where there is something to draw. */
async function live({ monitoring }) {
  const { since } = monitoring ? await import("./since.js") : { since: () => [make("p", {}, UNMONITORED)] };
  return card("Since it serves", ...since(monitoring, config.study.target, labels));
}

/** Show what it would have said to requests that came before; its module is loaded like the one above. */
async function replay(model) {
  const { replayed } = model.verdict.replay
    ? await import("./replay.js")
    : { replayed: () => [make("p", {}, unreplayed(model.verdict))] };
  return card("What it would have said", ...replayed(model, config.study.target, labels));
}

const UNMONITORED =
  "The monitor has not run yet since this model serves. It runs once a day, at 03:00 UTC unless the deployment says " +
  "otherwise, and then tells here what the model is asked and what came of its predictions.";

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
  together = fields.filter(has("recorded_together")).map(({ name }) => name);
  byId("serves").textContent = `${model.model_version} serves. ${model.overview.intended_use}`;
  const parts = [verdict, replay, live, calibrated, won, subgroups, learned, importances, origin, history];
  byId("card").append(...(await Promise.all(parts.map((part) => part(model)))));
} catch (problem) {
  if (!(problem instanceof Problem)) throw problem;
  byId("serves").textContent = "";
  byId("message").textContent = problem.message;
}
