// The work page: take pictures in, say what to do with them, watch them, take the results.

import { nextTick, onMounted, onUnmounted, provide, reactive, ref, shallowRef, watch } from "vue";
import { remember, remembered } from "overspill/js/frame.js";
import { makeActions } from "overspill/components/pictures/actions.js";
import { FILTERS, makeBrowsing } from "overspill/components/pictures/browsing.js";
import Card from "overspill/components/pictures/card.js";
import { focusCard } from "overspill/components/pictures/focus.js";
import { useHeld, whoAmI } from "overspill/components/pictures/held.js";
import Icon from "overspill/components/pictures/icon.js";
import { ACCEPT, listen } from "overspill/components/pictures/intake.js";
import { listenToKeys } from "overspill/components/pictures/keyboard.js";
import { makeLiveJobs } from "overspill/components/pictures/live_jobs.js";
import Options from "overspill/components/pictures/options.js";
import { makeStaging } from "overspill/components/pictures/staging.js";
import { makeStore } from "overspill/components/pictures/store.js";
import Tray from "overspill/components/pictures/tray.js";
import { makeUploads } from "overspill/components/pictures/uploads.js";
import Viewer from "overspill/components/pictures/viewer.js";

const KEPT = "overspill.choice";
const TOLD_MS = 2000; // screen readers hear of a batch, not of each of its pictures

export default {
  components: { Card, Icon, Options, Tray, Viewer },
  props: { samples: Array }, // [{name, url, small, title}]
  template: `
    <div class="pictures" :class="{ fresh: cards.length === 0 }">
      <h1 class="unseen">Pictures</h1>
      <section class="intake" aria-label="New pictures">
        <div class="drop">
          <h2><span class="mouse">Drop photographs anywhere</span><span class="touch">Your photographs</span></h2>
          <p class="soft mouse">or paste them, or</p>
          <button type="button" class="button main" @click="picker.click()">Choose pictures</button>
          <input ref="picker" type="file" multiple hidden :accept="accept" aria-label="Choose pictures" @change="picked">
          <div class="samples"><p class="soft" id="samples-title">No picture at hand? Take one of these.</p>
            <ul aria-labelledby="samples-title">
              <li v-for="sample in samples" :key="sample.url"><button type="button" @click="take(sample)" :aria-label="'Take the sample: ' + sample.title">
                <img :src="sample.small" alt="" width="96" height="72" loading="lazy"></button></li>
            </ul></div>
        </div>
        <Options v-if="me" :choice="choice" :operations="me.operations" group="all"/>
        <div v-else class="options options-blank" aria-hidden="true"></div>
      </section>
      <Tray v-if="tray.length" :pictures="tray" :choice="choice" :operations="me?.operations ?? []"
            @start="start" @leave-out="leaveOut" @clear="clear"/>
      <section class="jobs" aria-label="Your pictures">
        <div v-if="cards.length" class="jobs-bar">
          <fieldset class="segments"><legend class="unseen">Show</legend>
            <label v-for="[value, title] in filters" :key="value"><input type="radio" name="filter" :value="value" v-model="filter">
              <span>{{ title }} <small>{{ counts[value] }}</small></span></label></fieldset>
          <a v-if="zip" class="button small" :href="zip" download><Icon name="download"/>Download all<span class="unseen"> results as a zip</span></a>
        </div>
        <p v-if="live.state.value === 'loading'" class="hush" role="status">Looking for your pictures …</p>
        <p v-else-if="live.state.value === 'logged-out'" class="hush" role="status">You are logged out. <a href="/login">Log in</a> to see your pictures.</p>
        <p v-else-if="live.state.value === 'failed'" class="hush" role="status">Your pictures can't be reached just now. Trying again …</p>
        <p v-else-if="cards.length && !shown.length" class="hush">{{ counts[filter] ? "They are among the older ones." : "Nothing here is " + filters.find(([value]) => value === filter)[1].toLowerCase() + "." }}</p>
        <p v-for="{ title, why } in held" :key="title" class="note" role="note"><b>{{ title }}</b> {{ why }}</p>
        <ul class="cards" ref="list" aria-label="Jobs">
          <li v-for="item in shown" :key="item.key"><Card :item="item"/></li>
        </ul>
        <p v-if="live.more.value" class="older"><button type="button" class="button" :disabled="looking" @click="older">{{ looking ? "Looking …" : "Show older" }}</button></p>
      </section>
      <p class="unseen" role="status" aria-live="polite">{{ told }}</p>
      <dialog ref="dialog" class="viewer" aria-labelledby="view-title" @close="viewed = null" @keydown="viewerKey">
        <Viewer v-if="viewed" ref="large" :item="viewed" :part="part" :act="act" @close="dialog.close()" @step="step"/>
      </dialog>
      <div v-if="hovered" class="veil" aria-hidden="true"><p>Let go to add them</p></div>
    </div>`,
  setup() {
    const store = makeStore();
    const uploads = makeUploads(adopt, (job) => act.cancel({ job }));
    const live = makeLiveJobs(store, () => browsing.counts.value["under-way"] === 0, uploads.busy);
    const browsing = makeBrowsing(store, live);
    const [me, viewed] = [shallowRef(null), shallowRef(null)];
    const [part, hovered, told] = [ref("picture"), ref(false), ref("")];
    const [picker, list, dialog, large] = [ref(null), ref(null), ref(null), ref(null)];
    const choice = reactive(keptChoice());
    const newest = () => browsing.cards.value[0]?.at ?? 0;
    const staging = makeStaging({ me, choice, store, uploads, newest, begun });
    const act = makeActions(store, uploads, show);
    const held = useHeld(me, browsing.cards);
    provide("act", act);
    watch(choice, () => remember(KEPT, JSON.stringify(choice)));
    watch(browsing.counts, tell);

    function adopt(item, job) {
      store.adopt(item, job);
      live.settle(job.id);
    }

    function begun() {
      browsing.filter.value = "all";
      nextTick(() => list.value?.querySelector(".card")?.focus({ preventScroll: true }));
    }

    async function show(item, which) {
      [viewed.value, part.value] = [item, which];
      await nextTick();
      if (!dialog.value.open) dialog.value.showModal();
      large.value.toPart();
    }

    function step(by) {
      const jobs = browsing.shown.value.filter((item) => item.job);
      const next = jobs[jobs.indexOf(viewed.value) + by];
      if (next) show(next, "picture");
    }

    function viewerKey(event) {
      if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    }

    function tell({ "under-way": going, done, failed }) {
      document.title = `${going ? `(${going}) ` : ""}Pictures · overspill`;
      clearTimeout(tell.timer);
      tell.timer = setTimeout(() => (told.value = `${going} under way, ${done} done, ${failed} not done.`), TOLD_MS);
    }

    function setOperation(key) {
      const operation = me.value?.operations[Number(key) - 1];
      if (operation) choice.operation = operation.name;
    }

    const keys = {
      u: () => picker.value.click(),
      s: () => staging.tray.length && staging.start(),
      j: () => focusCard(list.value, 1),
      k: () => focusCard(list.value, -1),
      ...Object.fromEntries(["1", "2", "3"].map((key) => [key, setOperation])),
    };
    const leaving = (event) => uploads.busy() && event.preventDefault(); // the browser asks first
    const ends = [];
    onMounted(async () => {
      live.begin();
      ends.push(listen(staging.takeIn, (over) => (hovered.value = over)), listenToKeys(keys, act, (key) => store.items.get(key)));
      addEventListener("beforeunload", leaving);
      me.value = await whoAmI();
      if (!me.value.operations.some(({ name }) => name === choice.operation)) setOperation("1");
    });
    onUnmounted(() => {
      ends.forEach((end) => end());
      live.stop();
      removeEventListener("beforeunload", leaving);
    });

    return { ...staging, ...browsing, accept: ACCEPT, act, choice, dialog, filters: FILTERS, held, hovered, large, list, live, me, part, picker, step, told, viewed, viewerKey };
  },
};

function keptChoice() {
  const usual = { operation: "sketch", values: {}, site: "any" };
  try {
    return { ...usual, ...JSON.parse(remembered(KEPT) ?? "{}") };
  } catch {
    return usual;
  }
}
