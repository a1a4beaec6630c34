// Which of the pictures are shown, how many there are of each kind, and older ones on demand.

import { computed, ref } from "vue";
import { toast } from "overspill/js/toasts.js";
import { under } from "overspill/js/wire.js";
import { groupOf, newestFirst } from "./store.js";

export const FILTERS = [
  ["all", "All"],
  ["under-way", "Under way"],
  ["done", "Done"],
  ["failed", "Not done"],
];
const NAMED_IN_A_ZIP = 200; // so that the address stays short enough for every proxy
const PAGES_AT_A_TIME = 5;

export function makeBrowsing(store, live) {
  const filter = ref("all");
  const looking = ref(false);
  const cards = computed(() => newestFirst(store.items.values()));
  const shown = computed(() => (filter.value === "all" ? cards.value : cards.value.filter((item) => groupOf(item) === filter.value)));
  const counts = computed(() => countsOf(cards.value));

  // The results of those shown; without ids it is all that are done, those not on the page included.
  const zip = computed(() => {
    const done = shown.value.filter((item) => groupOf(item) === "done");
    const all = filter.value === "all" || live.more.value || done.length > NAMED_IN_A_ZIP;
    return under("/zip") + (all ? "" : `?ids=${done.map(({ job }) => job.id).join(",")}`);
  });

  // Goes back until there is something new to see, but not for ever.
  async function older() {
    const had = shown.value.length;
    looking.value = true;
    try {
      for (let page = 0; page < PAGES_AT_A_TIME && live.more.value && shown.value.length === had; page += 1) await live.older();
    } catch {
      toast("Older pictures can't be reached just now.");
    }
    looking.value = false;
  }

  return { filter, looking, cards, shown, counts, zip, older };
}

function countsOf(items) {
  const counts = { all: items.length, "under-way": 0, done: 0, failed: 0 };
  for (const item of items) counts[groupOf(item)] += 1;
  return counts;
}
