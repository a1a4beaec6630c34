// What overflows: the bridge's state, what is in the cloud, what it has cost and may cost.
import LiveChart from "./chart.js";
import CodedText from "./coded.js";
import { count, dollars, percent, sentence, took } from "./words.js";

const STATES = {
  ready: { label: "Open", tone: "good", says: "Jobs overflow when the VMs can't hold them." },
  full: { label: "Full", tone: "warn", says: "It takes no more until some are answered, or the cap lets it." },
  broken: { label: "Breaker open", tone: "bad", says: "The cloud failed too often; it is tried again soon." },
  draining: { label: "Draining", tone: "warn", says: "The bridge ends what it has and takes no more." },
};

export default {
  name: "CloudPanel",
  components: { CodedText, LiveChart },
  props: { sample: Object },
  template: `
    <section class="panel" aria-labelledby="cloud">
      <header class="panel__head"><h2 id="cloud">Cloud</h2>
        <span v-if="cloud" class="state" :class="'tone-' + state.tone">{{ state.label }}</span></header>
      <div class="card" v-if="cloud">
        <p class="cloud__why"><coded-text :text="sentence(cloud.reason) || state.says" /></p>
        <ul class="caps"><li v-for="cap in caps" :key="cap.name"><span>{{ cap.name }}</span><b>{{ cap.told }}</b>
          <span v-if="cap.share !== null" class="meter" role="meter" :aria-label="cap.name" aria-valuemin="0" aria-valuemax="100"
            :aria-valuenow="Math.round(cap.share * 100)" :aria-valuetext="cap.told"><i :class="{ over: cap.share >= 0.9 }"
            :style="{ width: Math.min(100, cap.share * 100) + '%' }"></i></span></li></ul>
        <live-chart label="Jobs in the cloud" :lines="lines" :format="count" :least="4" />
        <p v-if="typical" class="soft">Typical answer: {{ typical }}.</p>
      </div>
      <div v-else class="card empty"><strong>No bridge runs.</strong>
        <coded-text v-if="sample.router" :text="sentence(sample.router.cloud)" />
        <span>With <code>overspill bridge</code> jobs overflow to the cloud when the VMs are over their limits.</span></div>
    </section>`,
  setup: () => ({ count, sentence, lines: [{ key: "total/in_flight", name: "in the cloud", colour: "cloud", fill: true }] }),
  computed: {
    cloud() { return this.sample.cloud; },
    state() { return STATES[this.cloud.state]; },
    caps() {
      const { in_flight, capacity, spent_today, money_per_day, sent_last_minute, jobs_per_minute } = this.cloud;
      return [
        cap("In flight", in_flight, capacity || null, count),
        cap("Spent in 24 hours", spent_today, money_per_day, dollars),
        cap("Sent in a minute", sent_last_minute, jobs_per_minute, count),
      ];
    },
    typical() {
      return Object.entries(this.cloud.seconds ?? {}).map(([name, s]) => `${name} ${took(1000 * s)}`).join(", ");
    },
  },
};

function cap(name, value, most, format) {
  if (most == null) return { name, told: `${format(value)}, no cap`, share: null };
  return { name, told: `${format(value)} of ${format(most)} (${percent(most ? (100 * value) / most : 100)})`, share: most ? value / most : 1 };
}
