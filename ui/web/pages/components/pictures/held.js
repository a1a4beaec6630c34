// Who we are and what can be done here, and which of the caller's jobs wait because nobody does that just now.

import { computed, onUnmounted, watch } from "vue";
import { titleOf } from "overspill/js/words.js";
import { ask } from "overspill/js/wire.js";

const ASKED_EVERY_MS = 10_000; // while something waits

// Asked until it is answered.
export async function whoAmI() {
  for (let waits = 500; ; waits = Math.min(waits * 2, 10_000)) {
    try {
      return await ask("/me");
    } catch {
      await new Promise((go) => setTimeout(go, waits));
    }
  }
}

// [{title, why}] of each operation that nobody serves and that jobs wait for; `me` is kept up to date while any wait.
export function useHeld(me, cards) {
  const wanted = computed(() => new Set(cards.value.filter(isInLine).map(({ job }) => job.operation)));
  const held = computed(() => unserved(me.value).filter(({ name }) => wanted.value.has(name)).map(toldOf));
  let timer = null;

  async function look() {
    clearInterval(timer);
    timer = wanted.value.size ? setInterval(look, ASKED_EVERY_MS) : null;
    if (timer && me.value && !document.hidden) me.value = await ask("/me").catch(() => me.value);
  }
  watch(() => wanted.value.size, look);
  onUnmounted(() => clearInterval(timer));
  return held;
}

const isInLine = ({ job, upload }) => !upload && (job.state === "accepted" || job.state === "queued");
const unserved = (me) => (me?.operations ?? []).filter(({ served }) => served === false);
const toldOf = ({ name, why }) => ({ title: `${titleOf(name)} waits:`, why: why ?? "No machine does it just now." });
