// The six figures that tell how things are at a glance.
import { feed, view } from "./feed.js";
import { inLine, isParked, total } from "./figures.js";
import { counts } from "./states.js";
import { count, dollars, NONE, percent, plural, rate, took } from "./words.js";

const MINUTE = 60_000;

/** Jobs of the last whole minute, of a column of jobs per second. */
function ofMinute(key) {
  const values = feed.series.column(key);
  const from = feed.series.indexAt((feed.last() ?? 0) - MINUTE);
  return values.slice(Math.max(0, from)).reduce((sum, n) => sum + (n ?? 0), 0);
}

export default {
  name: "TilesPanel",
  props: { sample: Object },
  template: `
    <dl class="tiles" aria-label="Now">
      <div v-for="tile in tiles" :key="tile.name" class="tile">
        <dt>{{ tile.name }}</dt>
        <dd><b>{{ tile.figure }}</b> <span v-if="tile.of">{{ tile.of }}</span></dd>
        <dd class="tile__more"><span v-if="tile.share != null" class="meter" aria-hidden="true"><i
          :class="{ over: tile.share >= 0.9 && tile.watch }" :style="{ width: Math.min(100, 100 * tile.share) + '%' }"></i></span>
          <span>{{ tile.more }}</span></dd>
      </div>
    </dl>`,
  computed: {
    tiles() {
      void view.tick;
      return [this.running(), this.line(), this.throughput(), this.time(), this.cloud(), this.spent()];
    },
  },
  methods: {
    running() {
      const vms = Object.values(this.sample.vms).filter(counts);
      const [running, slots] = ["running", "slots"].map((key) => vms.reduce((sum, vm) => sum + vm[key], 0));
      const share = slots ? running / slots : 0;
      return { name: "Running on VMs", figure: count(running), of: `of ${plural(slots, "slot")}`, share, more: `${percent(100 * share)} taken` };
    },
    line() {
      const users = this.sample.users?.length ?? 0;
      const [waiting, parked] = [inLine(this.sample.queues), total(this.sample.queues, isParked)];
      const others = parked ? `${count(parked)} parked` : waiting ? "" : "nobody waits";
      const more = users ? `of ${plural(users, "user")}${users === 10 ? " or more" : ""}` : others;
      return { name: "In line", figure: count(waiting), of: waiting === 1 ? "job" : "jobs", more };
    },
    throughput() {
      const [done, failed] = [ofMinute("total/done"), ofMinute("total/failed")];
      return { name: "Answered", figure: rate(done / 60), of: "", more: failed ? `${plural(failed, "problem")} in a minute` : `${count(done)} in a minute, no problem` };
    },
    time() {
      const { p50, p95, p99, n } = this.sample.latency;
      return { name: "Time to answer", figure: took(p95), of: p95 == null ? "" : "p95", more: n ? `p50 ${took(p50)}, p99 ${took(p99)}` : "no job in five minutes" };
    },
    cloud() {
      const cloud = this.sample.cloud;
      if (!cloud) return { name: "In the cloud", figure: NONE, of: "", more: "no bridge runs" };
      const share = cloud.capacity ? cloud.in_flight / cloud.capacity : null;
      return { name: "In the cloud", figure: count(cloud.in_flight), of: cloud.capacity ? `of ${count(cloud.capacity)}` : cloud.in_flight === 1 ? "job" : "jobs", share, more: `bridge ${cloud.state}` };
    },
    spent() {
      const cloud = this.sample.cloud;
      if (!cloud) return { name: "Spent, 24 hours", figure: dollars(0), of: "", more: "the cloud is not used" };
      const cap = cloud.money_per_day;
      const share = cap ? cloud.spent_today / cap : null;
      return { name: "Spent, 24 hours", figure: dollars(cloud.spent_today), of: cap ? `of ${dollars(cap)}` : "", share, watch: true, more: cap ? `${percent(100 * share)} of the cap` : "no cap is set" };
    },
  },
};
