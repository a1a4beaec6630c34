// What the frame of every page does: theme, menu, the list of shortcuts, and NiceGUI's websocket, which is not opened.

const KEPT_THEME = "overspill.theme";
const KEPT_KEYS = "overspill.single-keys";

function begin() {
  keepSocketClosed();
  for (const radio of document.querySelectorAll('input[name="theme"]')) {
    radio.checked = radio.value === (remembered(KEPT_THEME) ?? "auto");
    radio.addEventListener("change", () => setTheme(radio.value));
  }
  const keys = document.getElementById("single-keys");
  if (keys) {
    keys.checked = singleKeysAllowed();
    keys.addEventListener("change", () => remember(KEPT_KEYS, keys.checked ? null : "off"));
  }
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.querySelector(".skip")?.addEventListener("click", toContent);
}

// Nothing on our pages comes over NiceGUI's websocket, and one that is lost would cover or reload the page: so it is made
// without being opened. This module runs before the script that brings `io`, and wraps it as it comes.
function keepSocketClosed() {
  Object.defineProperty(window, "io", {
    configurable: true,
    set(io) {
      const closed = (url, options) => io(url, { ...options, autoConnect: false });
      Object.defineProperty(window, "io", { value: closed, configurable: true, writable: true });
    },
  });
}

export function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage may be forbidden
  }
}

export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // then it holds for this page only
  }
}

function setTheme(theme) {
  remember(KEPT_THEME, theme === "auto" ? null : theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new CustomEvent("overspill:theme"));
}

function toContent(event) {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function onClick(event) {
  const opens = event.target.closest?.("[data-opens]");
  if (opens) document.getElementById(opens.dataset.opens)?.showModal();
  const menu = document.querySelector(".menu[open]");
  if (menu && (opens || !menu.contains(event.target))) menu.open = false;
  if (event.target instanceof HTMLDialogElement && event.target.matches("#shortcuts")) event.target.close(); // its backdrop
}

function onKey(event) {
  const menu = document.querySelector(".menu[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  if (event.key === "?" && isFreeKey(event)) document.getElementById("shortcuts")?.showModal();
}

export function singleKeysAllowed() {
  return remembered(KEPT_KEYS) !== "off";
}

// Whether a key is meant for the page: not typed into something, not part of a chord, not below an open dialog.
export function isFreeKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !singleKeysAllowed()) return false;
  if (event.target.closest?.("input:not([type=range], [type=radio], [type=checkbox]), textarea, select, [contenteditable]")) return false;
  return !document.querySelector("dialog[open]");
}

begin();
