// A VM's states in words, with a shape each: nothing is told by its colour alone.
import { ago, sentence } from "./words.js";

const RING = "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Z";

export const STATES = {
  lost: { label: "Lost", tone: "bad", icon: `${RING}M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8`, says: "It is silent. Its jobs are placed elsewhere." },
  quarantined: { label: "Quarantined", tone: "odd", icon: "M8 1.8l5.2 2v4c0 3-2.2 5.3-5.2 6.4-3-1.1-5.2-3.4-5.2-6.4v-4ZM8 5v3.4M8 10.8v.2", says: "It beats, but gets no jobs." },
  draining: { label: "Draining", tone: "warn", icon: "M8 2v7.5M4.8 6.6 8 9.8l3.2-3.2M3 13.5h10", says: "It ends what it runs and gets no more." },
  joined: { label: "Starting", tone: "calm", icon: `${RING}M8 4.8V8l2.2 1.6`, says: "It is heard of, but serves nothing yet." },
  busy: { label: "Busy", tone: "busy", icon: `${RING}M6.6 5.4v5.2L10.8 8Z`, says: "All its slots are taken." },
  ready: { label: "Ready", tone: "good", icon: `${RING}M5.3 8.2l1.9 1.9 3.5-4`, says: "It takes jobs." },
};

/** Those that need a look come first. */
export const ORDER = Object.keys(STATES);
export const TROUBLED = new Set(["lost", "quarantined"]);

export const stateOf = (vm) => STATES[vm.state] ?? { label: vm.state, tone: "calm", icon: RING, says: "" };

/** Why a VM is as it is: its own reason, else what the state means. */
export function whyOf(vm) {
  if (vm.state === "lost") return `Last heard ${ago(vm.age_s * 1000)}.`; // its reason is of the moment it was lost
  if (vm.reason) return sentence(vm.reason);
  return vm.drained ? "An operator drains it. It ends what it runs and gets no more." : stateOf(vm).says;
}

/** Whether its slots could be used if there were jobs. */
export const counts = (vm) => !TROUBLED.has(vm.state) && vm.state !== "joined";

/** Troubled ones first, then by name as people count: vm2 before vm10. */
export function inOrder(vms) {
  const rank = (vm) => (TROUBLED.has(vm.state) ? ORDER.indexOf(vm.state) : ORDER.length);
  return Object.entries(vms)
    .map(([name, vm]) => ({ name, ...vm }))
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
}
