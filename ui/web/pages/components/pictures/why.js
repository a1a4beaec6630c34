// Why a job ran where it ran: the decision that sent it there, in a sentence, a small table, and every step.

import { ref, watch } from "vue";
import { price, seconds, where, whereFirst } from "overspill/js/words.js";
import { ask } from "overspill/js/wire.js";

export default {
  props: { job: Object },
  template: `
    <div class="why">
      <dl class="facts">
        <div v-for="[name, value] in facts()" :key="name"><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
      </dl>
      <p v-if="state === 'loading'" class="soft" role="status">Looking it up …</p>
      <p v-else-if="state === 'failed'" class="soft" role="status">Why can't be told just now.</p>
      <template v-else>
        <p v-if="!receipt" class="soft">No decision is told of this job yet.</p>
        <template v-else>
          <p>{{ verdict() }}</p>
          <div class="table-scroll" tabindex="0" role="group" aria-label="What the decision looked at">
            <table>
              <caption class="unseen">Machines and cloud as they were at the decision</caption>
              <thead><tr><th scope="col">Place</th><th scope="col">Load</th><th scope="col">Memory</th>
                <th scope="col">Held</th><th scope="col">Expected end</th><th scope="col">Verdict</th></tr></thead>
              <tbody>
                <tr v-for="row in receipt.candidates ?? []" :key="row.vm" :class="{ chosen: row.vm === receipt.vm }">
                  <th scope="row">{{ row.vm }}<span v-if="row.vm === receipt.vm" class="chosen-mark">chosen</span></th>
                  <td>{{ Math.round(row.load) }} %</td><td>{{ Math.round(row.ram ?? 0) }} %</td>
                  <td>{{ row.held }} of {{ row.slots }}</td><td>{{ row.end_s ? seconds(row.end_s) : "–" }}</td><td>{{ row.verdict }}</td>
                </tr>
                <tr v-if="receipt.cloud" :class="{ chosen: receipt.route === 'cloud' }">
                  <th scope="row">Cloud<span v-if="receipt.route === 'cloud'" class="chosen-mark">chosen</span></th>
                  <td>–</td><td>–</td><td>–</td><td>{{ receipt.cloud.end_s ? seconds(receipt.cloud.end_s) : "–" }}</td>
                  <td>{{ receipt.cloud.why ?? (receipt.cloud.open ? "open" : "closed") }}</td>
                </tr>
              </tbody>
            </table>
          </div>
        </template>
        <details v-if="lines.length" class="steps"><summary>Every step</summary>
          <pre tabindex="0" aria-label="Every step">{{ lines.join("\\n") }}</pre></details>
      </template>
    </div>`,
  setup(props) {
    const state = ref("loading");
    const lines = ref([]);
    const receipt = ref(null);

    async function look() {
      try {
        const told = await ask(`/jobs/${props.job.id}/why`);
        lines.value = told.lines;
        receipt.value = told.receipt;
        state.value = "told";
      } catch {
        if (state.value === "loading") state.value = "failed";
      }
    }
    watch(() => [props.job.id, props.job.state], look, { immediate: true });

    function facts() {
      const { job } = props;
      const told = [
        ["Where", where(job)],
        ["Waited", job.waited_ms != null && seconds(job.waited_ms / 1000)],
        ["Ran", job.ran_ms != null && seconds(job.ran_ms / 1000)],
        ["Attempt", job.attempt > 1 && job.attempt],
        ["Made by", job.model],
        ["Price", job.cost != null && price(job.cost)],
      ];
      return told.filter(([, value]) => value);
    }

    function verdict() {
      const { policy, reason, limits } = receipt.value;
      const bounds = Object.entries(limits ?? {}).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
      return [reason && `${whereFirst(receipt.value)}: ${reason.replace(/\.$/, "")}.`, policy && `Decided by the policy “${policy}”${bounds ? ` (${bounds})` : ""}.`].filter(Boolean).join(" ");
    }

    return { state, lines, receipt, facts, verdict, seconds };
  },
};
