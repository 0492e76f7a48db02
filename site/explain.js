// Shows what each feature adds to a prediction; loaded on demand.

import { ask, config } from "./api.js";
import { byId, has, make, written } from "./page.js";
import { told } from "./result.js";
import { useRows } from "./rows.js";

const MOST = 12; // if there are more rows, all but the largest ten are folded

/** Fetch what each feature adds to the prediction, and draw it as bars, largest first. */
export async function explain(patient, fields) {
  const [answer] = await Promise.all([ask("/predict?explain=true", patient), useRows()]);
  const { base_value: base, contributions, explained_by, standard_errors: errors } = answer;
  const added = Object.entries(contributions).sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  const largest = Math.abs(added[0][1]) || 1;
  const rows = added.map(([name, points]) => {
    const field = fields.find((one) => one.name === name);
    const bar = make("span", { className: isGood(points) ? "bar" : "bar bad" });
    bar.style.setProperty("--share", Math.abs(points) / largest);
    const words = errors ? `${signed(points)} ± ${told(errors[name])}` : signed(points);
    const value = patient[name] ?? null;
    const absent = has("known_after_treatment")(field) ? "not known yet" : "not given";
    const given = value === null ? absent : written(value, field.unit);
    return make("li", {}, make("span", {}, field.label, " ", make("small", {}, given)), bar, make("span", {}, words));
  });
  const shown = rows.length > MOST ? rows.splice(0, 10) : rows.splice(0);
  const rest = added.slice(shown.length).reduce((sum, [, points]) => sum + points, 0);
  const folded = make("summary", {}, `${rows.length} other features, together ${signed(rest)}`);
  byId("explanation").replaceChildren(
    make("p", {}, `The average prediction for a sample of training patients is ${told(base)}. Each feature adds to it:`),
    make("ul", { className: "rows added" }, ...shown),
    make("details", { hidden: !rows.length }, folded, make("ul", { className: "rows added" }, ...rows)),
    make("p", { className: "hint" }, `${SOURCE[explained_by]}. They explain this prediction, not what causes the outcome.`),
  );
  byId("explanation").focus();
}

const SOURCE = {
  exact: "Exact Shapley values",
  permutations: "Shapley values, estimated from random orders of the features, ± their standard error",
};

const isGood = (points) => (config.study.target.higher_is === "better" ? points >= 0 : points <= 0);
const signed = (points) => `${points < 0 ? "" : "+"}${told(points)}`;
