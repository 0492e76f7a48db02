// Shows the monitoring of the champion, with the module of the site's model page.

import { make } from "/site/page.js";
import { since } from "/site/since.js";

export default {
  template: "<div class='checks'></div>",
  props: { monitoring: Object, target: Object, labels: Object },
  mounted() {
    const title = make("h2", {}, "Since it was promoted");
    this.$el.append(title, ...since(this.monitoring, this.target, this.labels));
  },
};
