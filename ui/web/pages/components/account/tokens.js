// API tokens: made, listed, revoked.
import { moment, tried } from "overspill/components/account/asking.js";
import SureButton from "overspill/components/account/sure_button.js";
import ToldOnce from "overspill/components/account/told_once.js";
import { ago } from "overspill/js/words.js";

export default {
  name: "TokensPanel",
  components: { SureButton, ToldOnce },
  template: `
    <section class="sheet" aria-labelledby="tokens">
      <h2 id="tokens">API tokens</h2>
      <p class="account__soft">What your programs log in with. A token may do what you may, except make or revoke
        tokens, make or change webhooks, change the password or end logins.</p>
      <form class="line" @submit.prevent="make">
        <label class="field"><span class="label">What it is for</span>
          <input type="text" v-model.trim="name" required maxlength="100" autocomplete="off" placeholder="nightly batch"></label>
        <button class="button main" :disabled="busy">Make a token</button>
      </form>
      <told-once v-if="made" label="Your new token." :secret="made" @done="made = null" />
      <p v-if="tokens && !tokens.length" class="account__soft">You have none yet.</p>
      <ul v-if="tokens && tokens.length" class="rows">
        <li v-for="token in tokens" :key="token.id" class="row">
          <div><strong>{{ token.name }}</strong> <code>ovs_{{ token.id }}_…</code>
            <p class="account__soft">Made {{ moment(token.created_ms) }}, {{ used(token) }}</p></div>
          <sure-button :about="'the token ' + token.name" what="Revoke" @sure="revoke(token)" />
        </li>
      </ul>
    </section>`,
  setup: () => ({ moment }),
  data: () => ({ tokens: null, name: "", made: null, busy: false }),
  mounted() {
    this.load();
  },
  methods: {
    async load() {
      this.tokens = (await tried("/tokens"))?.tokens ?? this.tokens;
    },
    async make() {
      this.busy = true;
      const made = await tried("/tokens", { method: "POST", body: { name: this.name } });
      this.busy = false;
      if (!made) return;
      Object.assign(this, { made: made.token, name: "" });
      await this.load();
    },
    async revoke(token) {
      await tried(`/tokens/${token.id}`, { method: "DELETE" });
      await this.load();
    },
    used(token) {
      return token.used_ms ? `last used ${ago(token.used_ms, Date.now())}` : "not used yet";
    },
  },
};
