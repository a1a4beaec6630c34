// The dashboard: one sample a second, told to all of its parts.
import AttentionPanel from "overspill/components/dashboard/attention.js";
import CloudPanel from "overspill/components/dashboard/cloud.js";
import { feed, KEPT_MS, view } from "overspill/components/dashboard/feed.js";
import FlowPanel from "overspill/components/dashboard/flow.js";
import LettersPanel from "overspill/components/dashboard/letters.js";
import OperationsPanel from "overspill/components/dashboard/operations.js";
import { watchPage } from "overspill/components/dashboard/painter.js";
import QueuesPanel from "overspill/components/dashboard/queues.js";
import TilesPanel from "overspill/components/dashboard/tiles.js";
import VmsPanel from "overspill/components/dashboard/vms.js";
import { remember, remembered } from "overspill/js/frame.js";

const KEPT_RANGE = "overspill.dashboard.minutes";
const MINUTES = [2, 5, 15];

export default {
  components: { AttentionPanel, CloudPanel, FlowPanel, LettersPanel, OperationsPanel, QueuesPanel, TilesPanel, VmsPanel },
  template: `
    <div class="dash" :class="{ 'dash--old': live === false }">
      <header class="dash__head">
        <h1>Dashboard</h1>
        <p class="pulse" :class="live ? 'pulse--live' : 'pulse--off'"><i aria-hidden="true"></i>{{ pulse }}</p>
        <fieldset class="range"><legend class="unseen">How far back the charts go</legend><div class="segments">
          <label v-for="minutes in MINUTES" :key="minutes"><input type="radio" name="range" :value="minutes" :checked="minutes * 60000 === view.rangeMs"
            @change="reach(minutes)"><span>{{ minutes }} min</span></label></div></fieldset>
      </header>
      <template v-if="sample">
        <div class="dash__now"><attention-panel :sample="sample" :live="live" /><tiles-panel :sample="sample" /></div>
        <vms-panel :sample="sample" />
        <flow-panel :sample="sample" />
        <queues-panel :sample="sample" />
        <div class="pair"><operations-panel :sample="sample" /><cloud-panel :sample="sample" /></div>
        <letters-panel :sample="sample" />
      </template>
      <div v-else class="ghost" aria-busy="true" aria-label="The dashboard is being loaded">
        <i class="ghost__bar"></i><div class="tiles"><i v-for="n in 6" :key="n"></i></div>
        <div class="vms"><i v-for="n in 2" :key="n"></i></div></div>
    </div>`,
  setup: () => ({ view, MINUTES }),
  computed: {
    sample: () => feed.state.sample,
    live: () => feed.state.live,
    pulse() {
      if (feed.state.live === null) return "Connecting";
      if (!feed.state.live) return "No news just now";
      return feed.state.past === "missing" ? "Live, without its history" : "Live";
    },
  },
  created() {
    this.reach(Number(remembered(KEPT_RANGE)) || KEPT_MS / 60_000);
  },
  mounted() {
    this.unwatch = watchPage();
    feed.open();
  },
  unmounted() {
    this.unwatch();
    feed.close();
  },
  methods: {
    reach(minutes) {
      view.rangeMs = (MINUTES.includes(minutes) ? minutes : 15) * 60_000;
      view.cursor = null;
      remember(KEPT_RANGE, String(minutes));
    },
  },
};
