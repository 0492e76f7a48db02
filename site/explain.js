// Shows what each feature adds to a score; loaded when it is asked for.

import { ask } from "./api.js";
import { byId, make } from "./result.js";

/** Ask what each feature adds to the score, and draw it as bars, the largest first. */
export async function explain(patient) {
  const { base_value: base, contributions } = await ask("/predict?explain=true", patient);
  const added = Object.entries(contributions).sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
  const largest = Math.abs(added[0][1]) || 1;
  const rows = added.map(([feature, points]) => {
    const bar = make("span", { className: points < 0 ? "bar less" : "bar" });
    bar.style.setProperty("--share", Math.abs(points) / largest);
    const words = `${points < 0 ? "−" : "+"}${Math.abs(points).toFixed(2)}`;
    return make("li", {}, make("span", {}, feature.replaceAll("_", " ")), bar, make("span", {}, words));
  });
  byId("explanation").replaceChildren(
    make("p", {}, `The average over a sample of the training patients is ${base.toFixed(2)}. To it, each feature adds:`),
    make("ul", { className: "rows" }, ...rows),
    make("p", { className: "hint" }, "Shapley values: what moved this model's score, not what causes improvement."),
  );
  byId("explanation").focus();
}
