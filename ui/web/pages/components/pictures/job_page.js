// The page of one job: its permalink.

import { onMounted, onUnmounted, ref } from "vue";
import { follow } from "overspill/js/feed.js";
import { ENDED, mayPass } from "overspill/js/words.js";
import { ask, under } from "overspill/js/wire.js";
import { makeActions } from "overspill/components/pictures/actions.js";
import Icon from "overspill/components/pictures/icon.js";
import { makeStore } from "overspill/components/pictures/store.js";
import Viewer from "overspill/components/pictures/viewer.js";

export default {
  components: { Icon, Viewer },
  props: { id: String },
  template: `
    <div class="job-page">
      <p class="crumb"><a href="/">‹ All pictures</a></p>
      <p v-if="state === 'loading'" class="hush" role="status">Looking for it …</p>
      <p v-else-if="state === 'logged-out'" class="hush" role="status">You are logged out. <a :href="'/login?next=/jobs/' + id">Log in</a> to see it.</p>
      <div v-else-if="state === 'gone' || !isKept()" class="hush" role="status"><h1>This picture has been removed</h1></div>
      <Viewer v-else :item="item" part="picture" :act="act" page>
        <button v-if="!ended()" type="button" class="button small" @click="act.cancel(item)" :disabled="item.cancelling"><Icon name="stop"/>Cancel</button>
        <button v-else-if="item.job.state !== 'done' && mayPass(item.job.problem)" type="button" class="button small main" @click="retry"><Icon name="retry"/>Retry</button>
        <button v-if="ended()" type="button" class="button small bare" @click="remove"><Icon name="bin"/>Remove</button>
      </Viewer>
    </div>`,
  setup({ id }) {
    const store = makeStore();
    const state = ref("loading");
    const item = ref(null);
    const act = makeActions(store, null, () => {});
    let end = null;

    function hear(job) {
      store.put(job);
      item.value = store.find(id);
      state.value = "here";
      if (ENDED.has(job.state)) end?.();
    }

    async function begin() {
      try {
        hear(await ask(`/jobs/${id}`));
        end?.();
        if (!ended()) end = follow(under(`/jobs/${id}/events`), { job: hear, removed: gone, reset: begin });
      } catch (error) {
        if (error.problem?.status === 404) gone();
        else {
          if (error.problem?.status === 401) state.value = "logged-out";
          setTimeout(begin, 3000);
        }
      }
    }

    function gone() {
      state.value = "gone";
      end?.();
    }

    async function retry() {
      const job = await act.retry(item.value);
      if (job) location.assign(job.page);
    }

    function remove() {
      act.remove(item.value);
      document.getElementById("content").focus({ preventScroll: true }); // its button is gone
    }

    const isKept = () => store.items.has(item.value.key);
    const ended = () => ENDED.has(item.value.job.state);
    onMounted(begin);
    onUnmounted(() => end?.());
    return { act, ended, isKept, item, mayPass, remove, retry, state };
  },
};
