// How a program uses this page: lines that work as they stand, with this very address in them.
import { copy } from "overspill/components/account/asking.js";

export default {
  name: "ProgramsPanel",
  props: { address: String, login: String, logsIn: Boolean },
  template: `
    <section class="sheet" aria-labelledby="programs">
      <h2 id="programs">From a program</h2>
      <p class="account__soft">All that this page does, programs can do too.
        <a :href="address + '/api/v1/openapi.json'">The API is described in OpenAPI.</a></p>
      <p v-if="login === 'proxy'" class="account__soft">Programs come through the proxy, as you do; add what it asks of them.</p>
      <p v-if="logsIn" class="account__soft">The lines below read your token from a variable: <code>export TOKEN=ovs_…</code></p>
      <figure v-for="line in lines" :key="line.does" class="shell">
        <figcaption>{{ line.does }}</figcaption>
        <pre tabindex="0"><code>{{ line.command }}</code></pre>
        <button class="button small" :aria-label="'Copy: ' + line.does" @click="copy(line.command)">Copy</button>
      </figure>
    </section>`,
  setup: () => ({ copy }),
  computed: {
    lines() {
      const curl = (...parts) => ["curl", ...(this.logsIn ? ['-H "Authorization: Bearer $TOKEN"'] : []), ...parts].join(" ");
      const turn = this.logsIn ? "\\\n  " : ""; // a line with a token in it is a long one
      const jobs = `${this.address}/api/v1/jobs`;
      return [
        {
          does: "Send a picture, and wait for what comes of it",
          command: curl("-H 'Prefer: wait=60'", "--fail-with-body", "-o sketch.jpg", "\\\n  -F image=@cup.jpg", `'${jobs}?operation=sketch'`),
        },
        { does: "Send it and go on; the answer says where to look", command: curl(`${turn}-F image=@cup.jpg`, `'${jobs}?operation=caption'`) },
        { does: "Your latest jobs", command: curl(`'${jobs}?limit=10'`) },
        { does: "Every change of your jobs, as it happens", command: curl("-N", `${turn}'${this.address}/api/v1/events'`) },
      ];
    },
  },
};
