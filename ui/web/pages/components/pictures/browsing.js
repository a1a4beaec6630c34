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
const SHOW_DONE = new Set(["all", "done"]);
const PAGES_AT_A_TIME = 5;

export function makeBrowsing(store, live) {
  const filter = ref("all");
  const looking = ref(false);
  const cards = computed(() => newestFirst(store.items.values()));
  const shown = computed(() => (filter.value === "all" ? cards.value : cards.value.filter((item) => groupOf(item) === filter.value)));
  const counts = computed(() => countsOf(cards.value, live.beyond.value));

  // All results, those not on the page included; null where none of them is what is shown.
  const zip = computed(() => (counts.value.done && SHOW_DONE.has(filter.value) ? under("/zip") : null));

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

function countsOf(items, beyond) {
  const counts = { ...beyond };
  for (const item of items) counts[groupOf(item)] += 1;
  return { all: counts["under-way"] + counts.done + counts.failed, ...counts };
}
