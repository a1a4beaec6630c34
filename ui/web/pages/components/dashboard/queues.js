// Who waits, and where: by user, by lane, and the queues beside them.
import { inLine, isParked, total } from "./figures.js";
import { count, plural, span } from "./words.js";

const BESIDE = {
  overflow: "on the way to the cloud", unanswered: "problems still to be sent", dead: "dead letters",
};
const nameOf = (queue) => BESIDE[queue] ?? queue.replace("parked.", "parked: ");

export default {
  name: "QueuesPanel",
  props: { sample: Object },
  template: `
    <section class="panel" aria-labelledby="line">
      <header class="panel__head"><h2 id="line">Who waits</h2><p class="soft">{{ told }}</p></header>
      <div class="split">
        <div class="card"><h3>By user</h3>
          <table v-if="users.length" class="bars"><thead><tr><th scope="col">User</th><th scope="col">Jobs</th><th scope="col">Computing time</th></tr></thead>
            <tbody><tr v-for="user in users" :key="user.user"><th scope="row">{{ user.user }}</th>
              <td><i :style="{ width: user.share + '%' }" aria-hidden="true"></i><span>{{ count(user.queued) }}</span></td>
              <td>{{ span(user.seconds * 1000) }}</td></tr></tbody></table>
          <p v-else class="empty">{{ nobody }}</p></div>
        <div class="card"><h3>By lane</h3>
          <ol class="lanes" aria-label="Jobs in each lane">
            <li v-for="lane in lanes" :key="lane.name"><span class="lanes__bar" aria-hidden="true"><i :style="{ height: lane.share + '%' }"></i></span>
              <b>{{ count(lane.n) }}</b><small aria-hidden="true">{{ lane.short }}</small><span class="unseen"> in {{ lane.name }}</span></li></ol>
          <p class="soft">A user's jobs share a lane; lanes are served in turn, by computing time.</p>
          <dl class="beside"><div v-for="(n, queue) in beside" :key="queue"><dt>{{ nameOf(queue) }}</dt><dd>{{ count(n) }}</dd></div></dl></div>
      </div>
    </section>`,
  setup: () => ({ count, span, nameOf }),
  computed: {
    told() {
      const n = inLine(this.sample.queues);
      return n ? `${plural(n, "job waits", "jobs wait")}.` : "No job waits.";
    },
    nobody() {
      const parked = total(this.sample.queues, isParked);
      return parked ? `Nobody waits in the lanes; ${plural(parked, "job is parked", "jobs are parked")}.` : "Nobody waits.";
    },
    users() {
      const users = this.sample.users ?? [];
      const most = Math.max(1, ...users.map((user) => user.queued));
      return users.map((user) => ({ ...user, share: (100 * user.queued) / most }));
    },
    lanes() {
      const lanes = Object.entries(this.sample.lanes).sort(([a], [b]) => a.localeCompare(b));
      const most = Math.max(1, ...lanes.map(([, n]) => n));
      return lanes.map(([name, n]) => ({ name, n, short: String(Number(name.slice(5))), share: (100 * n) / most }));
    },
    beside() {
      return Object.fromEntries(Object.entries(this.sample.queues).filter(([name]) => name !== "lanes"));
    },
  },
};
