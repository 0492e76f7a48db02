// Shows what became of a version since it serves, with the module of the site's model page.

import { since } from "/site/since.js";

export default {
  template: "<div class='checks'></div>",
  props: { monitoring: Object, target: Object, labels: Object },
  mounted() {
    this.$el.append(...since(this.monitoring, this.target, this.labels));
  },
};
