// A secret that the server tells once: to be copied now, or never.
import { copy } from "overspill/components/account/asking.js";

export default {
  name: "ToldOnce",
  props: { label: String, secret: String },
  emits: ["done"],
  template: `
    <div class="told" role="group" :aria-label="label">
      <p><strong>{{ label }}</strong> Copy it now: it is not shown again.</p>
      <div class="told__row"><code tabindex="0">{{ secret }}</code>
        <button ref="copy" class="button small main" @click="copy(secret)">Copy</button>
        <button class="button small" @click="$emit('done')">I have it</button></div>
    </div>`,
  setup: () => ({ copy }),
  mounted() {
    this.$refs.copy.focus();
  },
};
