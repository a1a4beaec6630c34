// The logins that hold, and the way out of all of them.
import { tried } from "overspill/components/account/asking.js";
import { ago } from "overspill/js/words.js";

const BROWSERS = [[/Edg\//, "Edge"], [/Firefox\//, "Firefox"], [/OPR\//, "Opera"], [/Chrom(e|ium)\//, "Chrome"], [/Safari\//, "Safari"]];
const SYSTEMS = [[/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/Linux/, "Linux"]];

export default {
  name: "LoginsPanel",
  template: `
    <section class="sheet" aria-labelledby="logins">
      <h2 id="logins">Logins</h2>
      <p class="account__soft">Where you are logged in. API tokens are not among these.</p>
      <ul v-if="sessions" class="rows">
        <li v-for="(session, i) in sessions" :key="i" class="row">
          <div><strong>{{ browser(session.agent) }}</strong> <span class="account__soft">from {{ session.address }}</span></div>
          <span class="account__soft">{{ ago(session.seen_ms, now) }}</span>
        </li>
      </ul>
      <p><button class="button" @click="leave">Log out everywhere</button></p>
    </section>`,
  setup: () => ({ ago }),
  data: () => ({ sessions: null, now: Date.now() }),
  async mounted() {
    this.sessions = (await tried("/me/sessions"))?.sessions ?? null;
    this.now = Date.now();
  },
  methods: {
    async leave() {
      if ((await tried("/me/sessions", { method: "DELETE" })) !== undefined) location.assign("/login");
    },
    browser(agent) {
      const name = (table) => table.find(([pattern]) => pattern.test(agent))?.[1];
      return [name(BROWSERS), name(SYSTEMS)].filter(Boolean).join(" on ") || "A program";
    },
  },
};
