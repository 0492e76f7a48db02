// Shows how the scores of a file are distributed, with the plot of the site.

import { lower, make, minus } from "/site/page.js";
import { table } from "/site/parts.js";
import { plot } from "/site/plot.js";

export default {
  template: "<div class='checks'></div>",
  props: { scores: Object, target: Object },
  mounted() {
    const { edges, counts } = this.scores;
    const { label, unit, decimals } = this.target;
    const all = counts.reduce((sum, count) => sum + count, 0);
    const shares = counts.map((count) => (100 * count) / all);
    const write = (value) => minus(value.toFixed(decimals));
    const between = (bin) => `${write(edges[bin])} to ${write(edges[bin + 1])}`;
    const most = shares.indexOf(Math.max(...shares));
    const steps = shares.flatMap((share, bin) =>
      [edges[bin], edges[bin + 1]].map((x) => ({ x, y: share, low: 0, high: share })),
    );
    this.$el.append(
      plot({
        sentence: `Distribution of the predicted ${lower(label)}: the most frequent scores are ${between(most)} ${unit}.`,
        x: { name: `predicted, ${unit}`, holds: edges },
        y: { name: "% of the scored rows", holds: [0, ...shares] },
        line: steps,
      }),
      make(
        "details",
        {},
        make("summary", {}, "Scores as a table"),
        table(
          [`Predicted, ${unit}`, "Rows"],
          counts.map((count, bin) => [between(bin), count.toLocaleString("en")]),
        ),
      ),
    );
  },
};
