// Shows a version's checks on held-out rows and its replay of captured requests, with the modules of the site's model
// page.

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
      "Replay of past requests": replay(),
      Calibration: calibration(this.card, this.target),
      "Win probabilities": wins(this.card),
      "Training and held-out rows": data.outcomes ? [make("p", {}, `${data.rows} rows. ${outcomesAmong(data.outcomes)}`)] : [],
    };
    for (const [title, shown] of Object.entries(parts)) {
      if (shown.length) this.$el.append(make("h2", {}, title), ...shown);
    }
  },
};
