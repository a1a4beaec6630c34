// The caller's jobs, fetched and kept up to date in a store.

import { ref, shallowRef } from "vue";
import { follow } from "overspill/js/feed.js";
import { showConnection } from "overspill/js/toasts.js";
import { ask, under } from "overspill/js/wire.js";

const PAGE = 50;
const ANSWER_MS = 1500;

// `isIdle` tells whether nothing is under way, `isSending` whether uploads are.
export function makeLiveJobs(store, isIdle, isSending) {
  const state = ref("loading"); // loading, here, failed
  const more = shallowRef(null); // the cursor of older jobs
  let end = null;

  async function begin() {
    try {
      const { jobs, next, last_event_id } = await ask(`/jobs?limit=${PAGE}`);
      store.replace(jobs, next === null);
      more.value = next;
      state.value = "here";
      end?.();
      end = follow(under("/events"), { job: hear, removed: ({ id }) => store.remove(id), reset: begin }, { from: last_event_id, isIdle });
    } catch (error) {
      troubled(error);
    }
  }

  // An event may overtake the answer to the upload that it is about, which knows the card it belongs to.
  function hear(job) {
    if (isSending() && !store.find(job.id)) setTimeout(store.put, ANSWER_MS, job);
    else store.put(job);
  }

  // At the first time the page says so itself; later what is there stays, and the line at the foot tells.
  function troubled(error) {
    if (error.problem?.status === 401) showConnection("logged-out");
    else if (state.value === "loading") state.value = "failed";
    setTimeout(begin, 5000);
  }

  async function older() {
    const { jobs, next } = await ask(`/jobs?limit=${PAGE}&cursor=${encodeURIComponent(more.value)}`);
    jobs.forEach(store.put);
    more.value = next;
    return jobs.length;
  }

  return { state, more, begin, older, stop: () => end?.() };
}
