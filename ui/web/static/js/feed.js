// One stream of changes, kept up: it comes back after a lost line or a restarted server, and goes on where it was.

import { showConnection } from "./toasts.js";
import { isLoggedOut } from "./wire.js";

const PATIENCE_MS = 1500; // a break shorter than this is nobody's business
const SLOWEST_MS = 15_000;
// A browser has six lines to a server for all of its tabs together (HTTP/1.1): a tab that nobody looks at gives up its own.
const RESTS_AFTER_MS = 3000;
const GLANCES_EVERY_MS = 15_000;

// Follows `url` while the page is seen; `hears` maps an event's name to what to do with its data. `from` is the last event
// already known, `glance` is called now and then while the page is hidden. Returns a function that ends it.
export function follow(url, hears, { from = null, glance = () => {} } = {}) {
  const feed = { url, hears, last: from, glance, source: null, waits: 500, timers: {}, ended: false };
  const seen = () => (document.hidden ? rest(feed) : wake(feed));
  const back = () => wake(feed, true); // a stream from before may be dead without knowing it
  document.addEventListener("visibilitychange", seen);
  addEventListener("online", back);
  addEventListener("offline", showOffline);
  open(feed);
  if (document.hidden) rest(feed);
  return () => {
    feed.ended = true;
    close(feed);
    Object.values(feed.timers).forEach(clearTimeout);
    document.removeEventListener("visibilitychange", seen);
    removeEventListener("online", back);
    removeEventListener("offline", showOffline);
  };
}

function showOffline() {
  showConnection("offline");
}

function open(feed) {
  close(feed);
  if (feed.ended || document.hidden) return;
  const query = feed.last === null ? "" : `?last_event_id=${encodeURIComponent(feed.last)}`;
  const source = new EventSource(feed.url + query);
  feed.source = source;
  source.addEventListener("open", () => fine(feed));
  source.addEventListener("error", () => broke(feed, source));
  for (const [name, hear] of Object.entries(feed.hears)) {
    source.addEventListener(name, (event) => {
      if (event.lastEventId) feed.last = event.lastEventId;
      hear(event.data ? JSON.parse(event.data) : null);
    });
  }
}

function close(feed) {
  feed.source?.close();
  feed.source = null;
}

function fine(feed) {
  feed.waits = 500;
  clearTimeout(feed.timers.worry);
  feed.timers.worry = null;
  showConnection("fine");
}

// The browser tries again by itself after a lost line, never after an answer that it didn't like: a proxy's, or ours.
function broke(feed, source) {
  feed.timers.worry ??= setTimeout(() => showConnection(navigator.onLine ? "reconnecting" : "offline"), PATIENCE_MS);
  if (source !== feed.source || source.readyState !== EventSource.CLOSED) return;
  clearTimeout(feed.timers.again);
  feed.timers.again = setTimeout(retry, feed.waits, feed);
  feed.waits = Math.min(feed.waits * 2, SLOWEST_MS);
}

async function retry(feed) {
  if (await isLoggedOut()) {
    clearTimeout(feed.timers.worry);
    close(feed); // opened anew when somebody comes back to the page, who may have logged in elsewhere
    showConnection("logged-out");
  } else open(feed);
}

function rest(feed) {
  clearTimeout(feed.timers.rest);
  feed.timers.rest = setTimeout(letGo, RESTS_AFTER_MS, feed);
}

function letGo(feed) {
  close(feed);
  clearTimeout(feed.timers.again);
  clearTimeout(feed.timers.worry);
  feed.timers.worry = null;
  feed.timers.glance = setInterval(feed.glance, GLANCES_EVERY_MS);
}

function wake(feed, anew = false) {
  if (document.hidden) return;
  clearTimeout(feed.timers.rest);
  clearInterval(feed.timers.glance);
  if (anew || feed.source === null) open(feed);
}
