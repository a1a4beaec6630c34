// Where the focus is among the cards: it is moved from one to another, and never lost with what it was on.

import { nextTick, onBeforeUnmount, onBeforeUpdate, onUpdated } from "vue";

// Moves the focus to the next card in `list` (`by` 1), or to the one before (-1).
export function focusCard(list, by) {
  const all = [...list.querySelectorAll(".card")];
  const from = all.indexOf(document.activeElement?.closest(".card"));
  const to = all[from < 0 ? 0 : from + by];
  to?.focus();
  to?.scrollIntoView({ block: "nearest" });
}

// Moves the focus to the card of an item that is about to be there.
export function focusItem({ key }) {
  nextTick(() => document.querySelector(`.card[data-key="${CSS.escape(key)}"]`)?.focus());
}

// Of the component whose element is in `card`: when a button in focus goes, the card has it, and when the card goes, its
// neighbour.
export function keepFocus(card) {
  let had = false;
  const has = () => card.value.contains(document.activeElement);
  onBeforeUpdate(() => (had = has()));
  const isLost = () => document.activeElement === document.body || document.activeElement.disabled;
  onUpdated(() => had && isLost() && card.value.focus());
  onBeforeUnmount(() => has() && neighbourOf(card.value)?.focus());
}

function neighbourOf(card) {
  const place = card.closest("li");
  return (place?.nextElementSibling ?? place?.previousElementSibling)?.querySelector(".card");
}
