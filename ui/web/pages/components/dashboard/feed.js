// All figures of the page: fifteen minutes of history by one GET, then one stream of samples, shared by every chart.
import { follow } from "overspill/js/feed.js";
import { reactive, shallowReactive } from "vue";
import { columnsOf, gauges, happened, merged } from "./figures.js";
import { repaint } from "./painter.js";
import { Series } from "./series.js";

export const KEPT_MS = 15 * 60_000;
const EVENTS = "/api/v1/fleet/events";
const HISTORY = "/api/v1/fleet/history";
const GAP_MS = 3_500; // after a longer silence the history is fetched anew
const QUIET_MS = 5_000; // a stream silent for so long is not live, whatever the connection says
const DEAD_MS = 20_000; // and one silent for so long is opened anew
const REREAD_MS = 2_000; // while the server itself still reads its past

/** What all charts share: how far back they go, the moment under the cursor, a count of the samples taken in. */
export const view = reactive({ rangeMs: KEPT_MS, cursor: null, tick: 0 });

class Feed {
  constructor() {
    this.series = new Series(KEPT_MS);
    /** `live` is null until something was heard, `past` one of loading, here, missing. */
    this.state = shallowReactive({ sample: null, live: null, past: "loading" });
    this.waiting = [];
  }

  last() {
    return this.series.last();
  }

  open() {
    this.connect();
    this.recall();
    this.watch = setInterval(() => this.look(), 1000);
  }

  close() {
    clearInterval(this.watch);
    clearTimeout(this.later);
    this.end();
  }

  connect() {
    this.end?.();
    this.heardAt = Date.now();
    this.end = follow(EVENTS, { state: (told) => this.hear(told), sample: (told) => this.patch(told) });
  }

  look() {
    const silent = Date.now() - this.heardAt;
    if (silent > QUIET_MS && this.state.live) this.state.live = false;
    if (silent > DEAD_MS && !document.hidden) this.connect();
  }

  patch(told) {
    if (this.state.sample) this.hear(merged(this.state.sample, told));
  }

  hear(sample) {
    const missed = this.last() !== null && sample.at_ms - this.last() > GAP_MS;
    this.heardAt = Date.now();
    Object.assign(this.state, { sample, live: true });
    if (missed && this.state.past !== "loading") this.recall();
    if (this.state.past === "loading") this.waiting.push(sample);
    else this.take(sample);
    this.passed();
  }

  take(sample) {
    this.series.put(sample.second_ms, happened(sample));
    this.series.put(Math.floor(sample.at_ms / 1000) * 1000, gauges(sample));
  }

  passed() {
    view.tick += 1;
    repaint();
  }

  /** Fetches the history; samples that come meanwhile take the place of its last rows. */
  async recall() {
    clearTimeout(this.later);
    this.state.past = "loading";
    const past = await fetch(HISTORY).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null);
    if (past) this.series.replace(...columnsOf(past));
    for (const sample of this.waiting.splice(0)) this.take(sample);
    this.state.past = past ? "here" : "missing";
    if (past && !past.complete) this.later = setTimeout(() => this.recall(), REREAD_MS);
    this.passed();
  }
}

export const feed = new Feed();
