// Shows the model card: the verdict, its evidence, and the promotion history.

import { ask, config, Problem } from "./api.js";
import { calibration, learning, outcomesAmong, unreplayed, wins } from "./checks.js";
import { byId, has, list as inWords, lower, make, minus, WORTHLESS } from "./page.js";
import { estimated, hint, percent, table } from "./parts.js";

let labels = {}; // of the study's columns
let together = []; // the columns whose combinations must have been recorded

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
    ["Model", candidate],
    ...averaged.map(({ over, scores }) => [`Model, with ${namesOf(over)} not known yet`, scores]),
    ["Average baseline", average],
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
    hint(`On ${verdict.rows} held-out rows, with ${percent(verdict.confidence)} bootstrap intervals in brackets.`),
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
    "Errors by subgroup",
    table(columns.map(([name]) => name), cells),
    hint(simultaneous ? atOnce(confidence) : "Each interval holds on its own: among many groups, some differ from zero by chance."),
  );
}

/** Return a group's mean error, marked if its interval excludes zero. */
function meanError({ mean_error: error, off_zero }) {
  if (!off_zero) return sure(error);
  return make("strong", {}, `${sure(error)}: predictions too ${error.value > 0 ? "high" : "low"}`);
}

const atOnce = (confidence) =>
  `The intervals in each column hold for all groups jointly, with ${percent(confidence)} confidence. A mean error ` +
  "(predicted minus recorded) is marked if its whole interval is on one side of zero.";

function importances({ importances, learning_curve }) {
  const beside = learning_curve ? half : card;
  const ranked = importances.toSorted((one, other) => other.mean - one.mean);
  const largest = Math.max(...ranked.map(({ mean }) => Math.abs(mean))) || 1;
  const rows = ranked.map(({ feature, mean, std }) => {
    const bar = make("span", { className: mean < 0 ? "bar bad" : "bar" });
    bar.style.setProperty("--share", Math.abs(mean) / largest);
    return make("li", {}, make("span", {}, labelOf(feature)), bar, make("span", {}, `${scaled(mean)} ± ${scaled(std)}`));
  });
  const growth = `The increase in RMSE, in ${unit()}, when a feature is shuffled among the held-out rows.`;
  return beside("Feature importance", make("ul", { className: "rows" }, ...rows), hint(growth));
}

/** Describe the width of the prediction intervals, and the groups with a width of their own. */
function widths({ half_width, residuals, by = [], groups = [] }) {
  const all = `±${scaled(half_width)} ${unit()}, from ${residuals} out-of-fold errors`;
  if (!groups.length) return `Prediction intervals: ${all}.`;
  const each = groups.map((one) => `±${scaled(one.half_width)} for ${one.of.join(", ")} (${one.residuals} errors)`);
  return `Prediction intervals by ${namesOf(by)}: ${each.join("; ")}; for all others ${all}.`;
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
    "Training and lineage",
    list([
      `${overview.algorithm}: ${settings.join(", ")}, seed ${training.seed}.`,
      `Trained on ${data.training_rows} of ${data.rows} rows${recorded}; data set ${data.sha256.slice(0, 12)}.`,
      ...(data.outcomes ? [outcomesAmong(data.outcomes)] : []),
      widths(interval),
      ...overview.limits,
    ]),
    table(["Stage", "Outputs (SHA-256)", "Computed by"], stages),
  );
}

/** Show the checks on held-out rows, a card for each; a card from an earlier release has fewer. */
const cardOf = (title, inside) => (inside.length ? half(title, ...inside) : "");
const calibrated = (model) => cardOf("Calibration", calibration(model, config.study.target));
const won = (model) => cardOf("Win probabilities", wins(model));
const learned = (model) => cardOf("Learning curve", learning(model, config.study.target));

/** Show the monitoring of the champion; the module that draws it is loaded only if there is something to draw. */
async function live({ monitoring }) {
  const { since } = monitoring ? await import("./since.js") : { since: () => [make("p", {}, UNMONITORED)] };
  return card("Monitoring", ...since(monitoring, config.study.target, labels));
}

/** Show the replay of earlier requests; its module is loaded like the one above. */
async function replay(model) {
  const { replayed } = model.verdict.replay
    ? await import("./replay.js")
    : { replayed: () => [make("p", {}, unreplayed(model.verdict))] };
  return card("Replay of past requests", ...replayed(model, config.study.target, labels));
}

const UNMONITORED =
  "The monitor has not run since this model was promoted. It runs once a day, by default at 03:00 UTC. Its results " +
  "then appear here: the requests that the model receives, and its errors on recorded outcomes.";

function history({ ledger }) {
  const rows = ledger.map((one) => [
    `${one.sequence}`,
    one.model_version,
    new Date(one.promoted_at).toLocaleString("en-GB", { timeZone: "UTC", timeZoneName: "short" }),
    one.why,
  ]);
  return card("Promotion history", table(["Promotion", "Version", "When", "Reason"], rows));
}

try {
  const [model, { fields }] = [await ask("/model"), await ask("/dropdown-values")];
  labels = Object.fromEntries(fields.map(({ name, label }) => [name, label]));
  together = fields.filter(has("recorded_together")).map(({ name }) => name);
  byId("serves").textContent = `The current version is ${model.model_version}. ${model.overview.intended_use}`;
  const parts = [verdict, replay, live, calibrated, won, subgroups, learned, importances, origin, history];
  byId("card").append(...(await Promise.all(parts.map((part) => part(model)))));
} catch (problem) {
  if (!(problem instanceof Problem)) throw problem;
  byId("serves").textContent = "";
  byId("message").textContent = problem.message;
}
