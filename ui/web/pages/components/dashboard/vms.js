// All VMs: cards with charts up to a dozen, beyond it a dense grid with a search and a filter by state.
import VmCard from "./vm_card.js";
import { inOrder, ORDER, stateOf } from "./states.js";
import { plural } from "./words.js";

const FEW = 12;

export default {
  name: "VmsPanel",
  components: { VmCard },
  props: { sample: Object },
  template: `
    <section class="panel" aria-labelledby="vms">
      <header class="panel__head">
        <h2 id="vms">Virtual machines</h2>
        <p class="soft" v-if="all.length">{{ told }}</p>
        <template v-if="many">
          <label class="field"><span class="unseen">Find a VM by name</span>
            <input type="search" v-model="sought" placeholder="Find a VM" autocomplete="off"></label>
          <div class="choice" role="group" aria-label="Show VMs that are">
            <button v-for="state in ['', ...present]" :key="state" :aria-pressed="String(only === state)" @click="only = state">
              {{ state ? label(state) : "All" }} <small>{{ state ? tally[state] : all.length }}</small></button>
          </div>
        </template>
      </header>
      <div v-if="all.length" class="vms" :class="{ 'vms--many': many }">
        <vm-card v-for="vm in shown" :key="vm.name" :name="vm.name" :vm="sample.vms[vm.name]" :small="many"
          :threshold="sample.cpu_threshold" />
        <p v-if="!shown.length" class="empty">No VM is like that.</p>
      </div>
      <div v-else class="empty"><strong>No VM is heard yet.</strong>
        <span>Start one with <code>overspill vm</code>; it shows up here within a second. Until then jobs wait in line.</span></div>
    </section>`,
  data: () => ({ sought: "", only: "" }),
  computed: {
    all() { return inOrder(this.sample.vms); },
    many() { return this.all.length > FEW; },
    tally() {
      const tally = {};
      for (const { state } of this.all) tally[state] = (tally[state] ?? 0) + 1;
      return tally;
    },
    present() { return ORDER.filter((state) => this.tally[state] || state === this.only); },
    told() {
      const parts = this.present.map((state) => `${this.tally[state] ?? 0} ${this.label(state).toLowerCase()}`);
      return this.all.length === 1 ? "1 machine" : `${plural(this.all.length, "machine")}: ${parts.join(", ")}`;
    },
    shown() {
      if (!this.many) return this.all;
      const sought = this.sought.trim().toLowerCase();
      return this.all.filter((vm) => (!this.only || vm.state === this.only) && vm.name.includes(sought));
    },
  },
  methods: { label: (state) => stateOf({ state }).label },
};
