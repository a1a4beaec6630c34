// The account page: who one is, what programs log in with, who is called when a job ends, and the way in and out.
import LoginsPanel from "overspill/components/account/logins.js";
import PasswordPanel from "overspill/components/account/password.js";
import ProgramsPanel from "overspill/components/account/programs.js";
import TokensPanel from "overspill/components/account/tokens.js";
import WebhooksPanel from "overspill/components/account/webhooks.js";

const WHENCE = {
  open: "This page is open: whoever sits at this machine is you.",
  accounts: "You have an account here, with a password.",
  oidc: "You log in where you have your account already.",
  proxy: "The proxy before this page says who you are.",
};

export default {
  components: { LoginsPanel, PasswordPanel, ProgramsPanel, TokensPanel, WebhooksPanel },
  props: { name: String, role: String, login: String, address: String },
  template: `
    <div class="account">
      <header class="account__who">
        <h1>Account</h1>
        <p><strong>{{ name }}</strong> <span class="account__role">{{ role }}</span></p>
        <p class="account__soft">{{ whence }}</p>
      </header>
      <tokens-panel v-if="logsIn" />
      <programs-panel :address="address" :login="login" :logs-in="logsIn" />
      <webhooks-panel />
      <password-panel v-if="login === 'accounts'" :name="name" />
      <logins-panel v-if="logsIn" />
    </div>`,
  computed: {
    logsIn() { return this.login === "accounts" || this.login === "oidc"; },
    whence() { return WHENCE[this.login]; },
  },
};
