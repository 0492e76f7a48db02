// Shows how a version's numbers came true on held-out rows, with the modules of the site's model page.

import { calibration, wins } from "/site/checks.js";
import { make } from "/site/page.js";

export default {
  template: "<div class='checks'></div>",
  props: { card: Object, target: Object },
  mounted() {
    const parts = {
      "Recorded beside predicted": calibration(this.card, this.target),
      "Which of two does better": wins(this.card),
    };
    for (const [title, shown] of Object.entries(parts)) {
      if (shown.length) this.$el.append(make("h2", {}, title), ...shown);
    }
  },
};
