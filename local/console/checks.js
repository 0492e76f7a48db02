// Shows how a version's numbers came true on held-out rows, and what it would have said to captured requests, with the
// modules of the site's model page.

import { calibration, outcomesAmong, unreplayed, wins } from "/site/checks.js";
import { make } from "/site/page.js";
import { replayed } from "/site/replay.js";

export default {
  template: "<div class='checks'></div>",
  props: { card: Object, target: Object, labels: Object },
  mounted() {
    const { verdict, data = {} } = this.card;
    const replay = () => (verdict.replay ? replayed(this.card, this.target, this.labels) : [make("p", {}, unreplayed(verdict))]);
    const parts = {
      "What it would have said": replay(),
      "Recorded beside predicted": calibration(this.card, this.target),
      "Which of two does better": wins(this.card),
      "Rows that it was made of": data.outcomes ? [make("p", {}, `${data.rows} rows. ${outcomesAmong(data.outcomes)}`)] : [],
    };
    for (const [title, shown] of Object.entries(parts)) {
      if (shown.length) this.$el.append(make("h2", {}, title), ...shown);
    }
  },
};
