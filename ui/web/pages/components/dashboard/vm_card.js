// One VM: how loaded it has been, what it runs, and what state it is in and why. Large, or small where there are many.
import LiveChart from "./chart.js";
import CodedText from "./coded.js";
import { order } from "./ask.js";
import { feed, view } from "./feed.js";
import { stateOf, TROUBLED, whyOf } from "./states.js";
import { percent, plural, span } from "./words.js";

export default {
  name: "VmCard",
  components: { CodedText, LiveChart },
  props: { name: String, vm: Object, threshold: Number, small: Boolean },
  template: `
    <article class="vm" :class="['tone-' + state.tone, { 'vm--small': small, 'vm--out': out }]" :aria-labelledby="id">
      <header class="vm__head">
        <h3 :id="id">{{ name }}</h3>
        <span class="state" :class="'tone-' + state.tone" :title="why">
          <svg viewBox="0 0 16 16" aria-hidden="true"><path :d="state.icon" /></svg><span :class="{ unseen: small }">{{ state.label }}</span></span>
        <button class="button small" :disabled="asked" @click="turn"
          :aria-label="(vm.drained ? 'Resume ' : 'Drain ') + name" :title="hint">{{ vm.drained ? "Resume" : "Drain" }}</button>
      </header>
      <p v-if="explained" class="vm__why"><strong v-if="small">{{ state.label }}: </strong><coded-text :text="why" /></p>
      <dl class="vm__figures">
        <div><dt><i class="chart__key" style="background: var(--chart-cpu)" aria-hidden="true"></i>CPU</dt>
          <dd :class="{ over: figure('load') >= threshold }" title="The mean of five readings, which the limit is held against">{{ percent(figure("load")) }}</dd></div>
        <div><dt><i class="chart__key chart__key--dash" style="background: var(--chart-ram)" aria-hidden="true"></i>RAM</dt>
          <dd>{{ percent(figure("ram")) }}</dd></div>
        <div><dt>Slots</dt><dd :title="slotsTold">{{ lost ? "–" : vm.running }}<small>/{{ vm.slots }}</small></dd></div>
      </dl>
      <live-chart :label="'CPU and RAM of ' + name" :lines="lines" :top="100" :limit="threshold" :limit-text="limitText"
        :format="percent" :legend="false" :axes="!small" :quiet="small" />
      <footer v-if="!small" class="vm__foot">
        <span class="pips" role="img" :aria-label="slotsTold" v-if="!lost && vm.slots && vm.slots <= 12">
          <i v-for="n in vm.slots" :key="n" :class="{ on: n <= vm.running }"></i></span>
        <span>{{ lost ? "Its jobs are placed elsewhere." : slotsTold }}</span>
        <span v-if="!lost && vm.oldest_running_s > 5" class="soft">longest for {{ span(vm.oldest_running_s * 1000) }}</span>
        <ul class="served" aria-label="Operations it serves">
          <li v-for="operation in vm.operations" :key="operation">{{ operation }}</li>
          <li v-for="(reason, operation) in vm.not_served" :key="operation" class="served--not" :title="reason">
            <s>{{ operation }}</s><span class="unseen"> is not served: {{ reason }}</span></li>
        </ul>
      </footer>
    </article>`,
  setup: () => ({ view, percent, span }),
  data: () => ({ asked: false }),
  computed: {
    id() { return `vm-${this.name}`; },
    state() { return stateOf(this.vm); },
    lost() { return this.vm.state === "lost"; },
    out() { return TROUBLED.has(this.vm.state); },
    why() { return whyOf(this.vm); },
    explained() { return !["ready", "busy"].includes(this.vm.state); },
    limitText() { return `${percent(this.threshold)} limit`; },
    hint() { return this.vm.drained ? "Give it jobs again" : "Give it no more jobs; those it has not begun go elsewhere"; },
    lines() {
      return [
        { key: `ram/${this.name}`, name: "RAM", colour: "ram", dash: true, width: 1.25 },
        { key: `cpu/${this.name}`, name: "CPU", colour: "cpu", fill: true },
      ];
    },
    slotsTold() {
      const ahead = this.vm.held - this.vm.running;
      const more = ahead > 0 ? `, ${ahead} more at hand` : "";
      return `${this.vm.running} of ${plural(this.vm.slots, "slot")} taken${more}`;
    },
  },
  methods: {
    /** Of the moment under the cursor, else of now. */
    figure(name) {
      if (!view.cursor) return this.vm[name];
      return feed.series.column(`${name}/${this.name}`)[feed.series.indexAt(view.cursor)];
    },
    async turn() {
      this.asked = true;
      const [what, done] = this.vm.drained
        ? ["resume", `${this.name} gets jobs again.`]
        : ["drain", `${this.name} ends what it runs and gets no more jobs.`];
      await order(`/vms/${encodeURIComponent(this.name)}/${what}`, { done });
      this.asked = false;
    },
  },
};
