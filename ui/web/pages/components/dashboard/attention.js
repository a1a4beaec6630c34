// What an operator should know first: what is wrong and why, each with the place where it can be mended.
import CodedText from "./coded.js";
import { counts, inOrder, stateOf, TROUBLED, whyOf } from "./states.js";
import { clock, plural, sentence } from "./words.js";

const FEW = 4;

/** What needs a look, the gravest first: [{tone, title, text, href}]. */
export function needs(sample, live = true) {
  return [...ofPage(sample, live), ...ofRouter(sample), ...ofVms(sample), ...ofCloud(sample), ...ofJobs(sample)];
}

function ofPage(sample, live) {
  if (live === false) return [{ tone: "warn", title: "No news from the server", text: `What stands here is as of ${clock(sample.at_ms)}.` }];
  if (sample.connected) return [];
  return [{ tone: "bad", title: "The page does not hear the bus", text: "What stands here is as it was last heard. It connects again by itself." }];
}

const ofRouter = (sample) =>
  sample.router ? [] : [{ tone: "bad", title: "No router is active", text: sample.standby?.length ? "One that stands by takes over within seconds." : "Jobs stay in line until one runs: `overspill router`." }];

function ofVms(sample) {
  const out = inOrder(sample.vms).filter((vm) => TROUBLED.has(vm.state));
  const shown = out.slice(0, FEW).map((vm) => ({ tone: stateOf(vm).tone, title: `${vm.name} is ${stateOf(vm).label.toLowerCase()}`, text: whyOf(vm), href: `#vm-${vm.name}` }));
  const rest = out.length - shown.length;
  return rest ? [...shown, { tone: "bad", title: `${plural(rest, "more VM")} lost or quarantined`, text: "", href: "#vms" }] : shown;
}

function ofCloud({ cloud }) {
  if (cloud?.state !== "broken") return [];
  return [{ tone: "bad", title: "The cloud is not used", text: sentence(cloud.reason) || "It failed too often and is tried again soon.", href: "#cloud" }];
}

function ofJobs({ waiting = {}, paused = [], queues }) {
  const still = paused.map((name) => ({ tone: "warn", title: `${name} is paused`, text: "Its jobs wait until you resume it.", href: "#operations" }));
  const held = Object.entries(waiting).filter(([name]) => !paused.includes(name))
    .map(([name, why]) => ({ tone: "warn", title: `${name} jobs wait`, text: sentence(why), href: "#operations" }));
  const dead = queues.dead ? [{ tone: "warn", title: plural(queues.dead, "dead letter"), text: "Jobs that could not be answered.", href: "#dead" }] : [];
  return [...still, ...held, ...dead];
}

const serves = (vm) => counts(vm) && vm.state !== "draining";

/** How many VMs take jobs, and what the others do: "1 VM in service, 1 draining." */
function inService(vms) {
  const others = {};
  for (const vm of vms.filter((each) => !serves(each))) {
    const label = stateOf(vm).label.toLowerCase();
    others[label] = (others[label] ?? 0) + 1;
  }
  const serving = `${plural(vms.filter(serves).length, "VM")} in service`;
  return vms.length ? `${[serving, ...Object.entries(others).map(([label, n]) => `${n} ${label}`)].join(", ")}.` : "";
}

export default {
  name: "AttentionPanel",
  components: { CodedText },
  props: { sample: Object, live: Boolean },
  template: `
    <section class="attention" aria-label="What needs a look">
      <p class="unseen" role="status">{{ announced }}</p>
      <ul v-if="found.length">
        <li v-for="need in found" :key="need.title" :class="'tone-' + need.tone">
          <component :is="need.href ? 'a' : 'span'" :href="need.href"><strong>{{ need.title }}</strong></component>
          <coded-text :text="need.text" /></li>
      </ul>
      <p v-else class="tone-good attention__well"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 8.5l3.2 3.2L13 4.6" /></svg>
        Nothing needs you. {{ well }}</p>
    </section>`,
  data: () => ({ announced: "" }),
  watch: {
    // Read out is only what is new: reasons may count seconds, and nobody wants to hear those.
    titles(now, before) {
      const fresh = this.found.filter((need) => !before.includes(need.title));
      if (fresh.length) this.announced = fresh.map((need) => `${need.title}. ${need.text}`).join(" ");
      else if (!now.length) this.announced = "Nothing needs you any more.";
    },
  },
  computed: {
    titles() { return this.found.map((need) => need.title); },
    found() { return needs(this.sample, this.live); },
    well() {
      return inService(Object.values(this.sample.vms));
    },
  },
};
