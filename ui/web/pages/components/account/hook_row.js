// One webhook: try it out, give it a new secret, see what it was told, remove it.
import { moment, tried } from "overspill/components/account/asking.js";
import SureButton from "overspill/components/account/sure_button.js";

const STATES = { waiting: "waits", arrived: "arrived", "given-up": "given up" };

export default {
  name: "HookRow",
  components: { SureButton },
  props: { hook: Object },
  emits: ["changed", "secret"],
  template: `
    <li class="row row--tall">
      <div><strong class="row__url">{{ hook.url }}</strong>
        <p class="account__soft">When a job is {{ hook.events.join(", ") }}</p>
        <p v-if="hook.switched_off" class="row__off">Switched off. {{ hook.switched_off }} A test that arrives switches it on again.</p>
        <p role="status" class="row__said">{{ said }}</p></div>
      <div class="row__do">
        <button class="button small" :disabled="busy" @click="test" :aria-label="'Send a test to ' + hook.url">{{ busy ? "Sending …" : "Send a test" }}</button>
        <button class="button small" @click="renew" :aria-label="'New secret for ' + hook.url">New secret</button>
        <sure-button :about="hook.url" what="Remove" @sure="remove" /></div>
      <details @toggle="open = $event.target.open; open && load()">
        <summary>What it was told</summary>
        <p v-if="deliveries && !deliveries.length" class="account__soft">Nothing in the last three days.</p>
        <ol v-if="deliveries && deliveries.length" class="deliveries">
          <li v-for="delivery in deliveries" :key="delivery.id">
            <span class="mark" :data-state="delivery.state">{{ STATES[delivery.state] }}</span>
            <span class="deliveries__what"><a v-if="delivery.job" :href="'/jobs/' + delivery.job">{{ delivery.event }}</a><template v-else>{{ delivery.event }}</template>,
              <time>{{ moment(delivery.created_ms) }}</time></span>
            <span class="deliveries__said">{{ last(delivery) }}</span>
          </li>
        </ol></details>
    </li>`,
  setup: () => ({ moment, STATES }),
  data: () => ({ deliveries: null, open: false, said: "", busy: false }),
  computed: {
    path() { return `/webhooks/${this.hook.id}`; },
  },
  methods: {
    async load() {
      this.deliveries = (await tried(`${this.path}/deliveries`))?.deliveries ?? this.deliveries;
    },
    async test() {
      Object.assign(this, { busy: true, said: "" });
      const delivery = await tried(`${this.path}/test`, { method: "POST" });
      this.busy = false;
      if (!delivery) return;
      this.said = delivery.state === "arrived" ? "The test arrived." : `The test did not arrive. ${delivery.attempts[0].said}`;
      if (this.open) await this.load();
      if (this.hook.switched_off) this.$emit("changed");
    },
    async renew() {
      const made = await tried(`${this.path}/secret`, { method: "POST" });
      if (!made) return;
      this.said = "Calls have a signature by the old secret, too, for a day.";
      this.$emit("secret", made.secret);
    },
    async remove() {
      await tried(this.path, { method: "DELETE" });
      this.$emit("changed");
    },
    last(delivery) {
      const tries = delivery.attempts.length;
      const said = delivery.attempts.at(-1)?.said ?? "about to be sent";
      const next = delivery.due_ms && tries ? `, again ${moment(delivery.due_ms)}` : "";
      return tries > 1 ? `${tries} attempts; ${said}${next}` : said + next;
    },
  },
};
