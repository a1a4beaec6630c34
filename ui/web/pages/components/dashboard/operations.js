// The operations: how long each takes, why its jobs wait, and the buttons that pause and resume it.
import { order } from "./ask.js";
import CodedText from "./coded.js";
import { inOrder, counts } from "./states.js";
import { count, NONE, plural, took } from "./words.js";

const OPERATIONS = ["sketch", "remove-background", "caption"];

export default {
  name: "OperationsPanel",
  components: { CodedText },
  props: { sample: Object },
  template: `
    <section class="panel" aria-labelledby="operations">
      <header class="panel__head"><h2 id="operations">Operations</h2>
        <p class="soft" v-if="sample.router">routed by {{ sample.router.name }}, policy {{ sample.router.policy }}</p></header>
      <div class="card"><table class="plain">
        <thead><tr><th scope="col">Operation</th><th scope="col">VMs</th><th scope="col">p50</th><th scope="col">p95</th><th scope="col" class="wide">p99</th>
          <th scope="col"><span class="unseen">Pause or resume</span></th></tr></thead>
        <tbody><template v-for="row in rows" :key="row.name">
          <tr><th scope="row">{{ row.name }} <span v-if="row.paused" class="state tone-warn">
              <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M5.5 3.500v9M10.500 3.500v9" /></svg>Paused</span></th>
            <td>{{ row.served }}</td><td>{{ took(row.p50) }}</td><td>{{ took(row.p95) }}</td><td class="wide">{{ took(row.p99) }}</td>
            <td><button class="button small" :disabled="asked === row.name" @click="turn(row)"
              :aria-label="(row.paused ? 'Resume ' : 'Pause ') + row.name">{{ row.paused ? "Resume" : "Pause" }}</button></td></tr>
          <tr v-if="row.why" class="because"><td colspan="6"><coded-text :text="row.why" /></td></tr>
        </template></tbody></table>
        <template v-if="sample.why && sample.why.length"><h3 class="why">Why jobs wait, or would</h3>
          <ul class="whys"><li v-for="line in sample.why" :key="line"><coded-text :text="line" /></li></ul></template></div>
    </section>`,
  setup: () => ({ took }),
  data: () => ({ asked: "" }),
  computed: {
    rows() {
      const { latency, waiting = {}, paused = [], queues } = this.sample;
      const vms = inOrder(this.sample.vms).filter(counts);
      return OPERATIONS.map((name) => {
        const held = queues[`parked.${name}`] ? `${plural(queues[`parked.${name}`], "job")} parked` : "";
        return {
          name, paused: paused.includes(name), why: [held, waiting[name]].filter(Boolean).join(": "),
          served: vms.length ? count(vms.filter((vm) => vm.operations?.includes(name)).length) : NONE,
          ...latency.by_operation?.[name],
        };
      });
    },
  },
  methods: {
    async turn({ name, paused }) {
      this.asked = name;
      const done = paused ? `${name} goes on.` : `${name} is paused: its jobs wait until you resume it.`;
      await order(`/operations/${name}/${paused ? "resume" : "pause"}`, { done });
      this.asked = "";
    },
  },
};
