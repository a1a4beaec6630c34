// A new password.
import { showConnection } from "overspill/js/toasts.js";
import { isLoggedOut } from "overspill/js/wire.js";

export default {
  name: "PasswordPanel",
  props: { name: String },
  template: `
    <section class="sheet" aria-labelledby="password">
      <h2 id="password">Password</h2>
      <p class="account__soft">Ten characters or more; a few words that don't belong together are best. All other logins end.</p>
      <form class="line" @submit.prevent="change">
        <input type="text" :value="name" autocomplete="username" readonly hidden>
        <label class="field"><span class="label">The one you have</span>
          <input type="password" v-model="old" required maxlength="1024" autocomplete="current-password"></label>
        <label class="field"><span class="label">The new one</span>
          <input type="password" v-model="fresh" required minlength="10" maxlength="1024" autocomplete="new-password"></label>
        <button class="button main" :disabled="busy">Change</button>
      </form>
      <p role="status" class="row__said" :class="{ 'row__said--bad': wrong }">{{ said }}</p>
    </section>`,
  data: () => ({ old: "", fresh: "", said: "", wrong: false, busy: false }),
  methods: {
    async change() {
      Object.assign(this, { busy: true, said: "" });
      const answer = await this.changed();
      Object.assign(this, { busy: false, wrong: Boolean(answer), said: answer || "Your password is changed.", old: "" });
      if (!answer) this.fresh = "";
    },
    // Why it was not, or nothing.
    async changed() {
      const body = JSON.stringify({ old: this.old, new: this.fresh });
      try {
        const response = await fetch("/api/v1/me/password", { method: "POST", body, headers: { "Content-Type": "application/json" } });
        if (response.ok) return "";
        if (response.status === 401) return await this.refusal();
        const { detail, title } = await response.json();
        return detail || title;
      } catch {
        return "The server can't be reached just now. Nothing was changed.";
      }
    },
    // A wrong password and a login that has ended are refused alike.
    async refusal() {
      if (!(await isLoggedOut())) return "That is not the password you have.";
      showConnection("logged-out");
      return "You are logged out. Nothing was changed.";
    },
  },
};
