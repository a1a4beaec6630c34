// Webhooks: addresses that are called when a job ends.
import { tried } from "overspill/components/account/asking.js";
import HookRow from "overspill/components/account/hook_row.js";
import ToldOnce from "overspill/components/account/told_once.js";

const EVENTS = ["done", "failed", "cancelled"];

export default {
  name: "WebhooksPanel",
  components: { HookRow, ToldOnce },
  template: `
    <section class="sheet" aria-labelledby="webhooks">
      <h2 id="webhooks">Webhooks</h2>
      <p class="account__soft">Addresses that are called when a job of yours ends. Each call is signed, as
        <a href="https://www.standardwebhooks.com/" rel="noopener noreferrer" target="_blank">Standard Webhooks</a>
        has it, and repeated over most of a day until your side answers with a 2xx.</p>
      <form class="line" @submit.prevent="make">
        <label class="field"><span class="label">Address</span>
          <input type="url" v-model.trim="url" required maxlength="2000" autocomplete="off" placeholder="https://hooks.example/overspill"></label>
        <fieldset class="checks"><legend class="unseen">Which ends of jobs to tell of</legend>
          <label v-for="event in EVENTS" :key="event" class="check"><input type="checkbox" :value="event" v-model="events"> {{ event }}</label></fieldset>
        <button class="button main" :disabled="busy || !events.length">Add</button>
      </form>
      <told-once v-if="made" label="What calls are signed with." :secret="made" @done="made = null" />
      <p v-if="hooks && !hooks.length" class="account__soft">You have none yet.</p>
      <ul v-if="hooks && hooks.length" class="rows">
        <hook-row v-for="hook in hooks" :key="hook.id" :hook="hook" @changed="load" @secret="made = $event" />
      </ul>
    </section>`,
  setup: () => ({ EVENTS }),
  data: () => ({ hooks: null, url: "", events: [...EVENTS], made: null, busy: false }),
  mounted() {
    this.load();
  },
  methods: {
    async load() {
      this.hooks = (await tried("/webhooks"))?.webhooks ?? this.hooks;
    },
    async make() {
      this.busy = true;
      const made = await tried("/webhooks", { method: "POST", body: { url: this.url, events: this.events } });
      this.busy = false;
      if (!made) return;
      Object.assign(this, { made: made.secret, url: "" });
      await this.load();
    },
  },
};
