// Where jobs go, how many are answered, how long that takes, how many wait: over time.
import LiveChart from "./chart.js";
import { feed } from "./feed.js";
import { inOrder } from "./states.js";
import { count, rate, took } from "./words.js";

const COLOURS = 6; // VMs with a colour each; all others share one

/** The targets that jobs went to, from the bottom of the stack up; the cloud lies on top. */
function targets(sample) {
  const known = inOrder(sample.vms).map((vm) => vm.name);
  const names = [...new Set([...known, ...feed.series.names("placed/")])].filter((name) => name !== "cloud" && name !== "*");
  names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const cloud = { key: "placed/cloud", name: "Cloud", colour: "cloud" };
  if (names.length <= COLOURS) {
    return [...names.map((name, i) => ({ key: `placed/${name}`, name, colour: `vm${i + 1}` })), cloud];
  }
  return [{ key: "placed/*", name: `${names.length} VMs`, colour: "vm1" }, cloud];
}

export default {
  name: "FlowPanel",
  components: { LiveChart },
  props: { sample: Object },
  template: `
    <section class="panel" aria-labelledby="flow">
      <header class="panel__head"><h2 id="flow">Flow</h2></header>
      <div class="flow">
        <div class="card"><h3>Where jobs go</h3>
          <live-chart label="Where jobs go, jobs placed a second" kind="columns" :lines="targets" :format="rate" /></div>
        <div class="card"><h3>Answered</h3>
          <live-chart label="Jobs answered a second" kind="columns" :lines="ends" :format="rate" /></div>
        <div class="card"><h3>Time to answer <small>within five minutes each</small></h3>
          <live-chart label="Time from being taken up to the answer, of the jobs of five minutes" :lines="times" :least="100" :format="took" /></div>
        <div class="card"><h3>In line</h3>
          <live-chart label="Jobs in line" :lines="waits" :format="count" :least="4" /></div>
      </div>
    </section>`,
  setup: () => ({
    count, rate, took,
    ends: [{ key: "total/done", name: "done", colour: "good" }, { key: "total/failed", name: "problem", colour: "bad" }],
    times: [
      { key: "total/p99", name: "p99", colour: "vm3", dash: true, width: 1.25 },
      { key: "total/p95", name: "p95", colour: "vm1" },
      { key: "total/p50", name: "p50", colour: "vm2", fill: true },
    ],
    waits: [
      { key: "queue/lanes", name: "in lanes", colour: "vm1", fill: true },
      { key: "queue/parked", name: "parked", colour: "vm4", dash: true },
      { key: "queue/overflow", name: "to the cloud", colour: "cloud" },
    ],
  }),
  computed: {
    targets() {
      return targets(this.sample);
    },
  },
};
