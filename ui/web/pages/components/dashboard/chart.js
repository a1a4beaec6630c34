// One chart: a canvas, its legend with the figures of now (or of the cursor), and the same in words for who can't see it.
import { feed, view } from "./feed.js";
import * as paint from "./paint.js";
import { hide, repaint, show } from "./painter.js";
import { rates, span } from "./series.js";
import { clock, NONE, roundUp } from "./words.js";

const COLUMNS = 60;
const TOLD_EVERY_MS = 15_000;

export default {
  name: "LiveChart",
  props: {
    label: { type: String, required: true },
    /** [{key, name, colour, dash, fill}]; of columns, from the bottom up. */
    lines: { type: Array, required: true },
    kind: { type: String, default: "line" },
    top: { type: Number, default: 0 }, // 0: as high as the highest
    least: { type: Number, default: 1 }, // but never lower than this
    limit: { type: Number, default: null },
    limitText: { type: String, default: "" },
    format: { type: Function, default: String },
    legend: { type: Boolean, default: true },
    axes: { type: Boolean, default: true },
    quiet: { type: Boolean, default: false }, // one of very many: told by its card, not by itself
  },
  template: `
    <figure class="chart" :class="{ 'chart--bare': !axes }">
      <ul v-if="legend" class="chart__legend">
        <li v-for="line in lines" :key="line.key"><i class="chart__key" :style="keyStyle(line)" aria-hidden="true"></i>
          <span>{{ line.name }}</span> <b>{{ figure(line) }}</b></li>
      </ul>
      <canvas ref="canvas" :role="quiet ? null : 'img'" :aria-label="quiet ? null : told" :aria-hidden="quiet"
        :tabindex="quiet ? null : 0" @pointermove="point" @pointerleave="leave" @keydown="step" @blur="leave"></canvas>
    </figure>`,
  setup: () => ({ view }),
  data: () => ({ told: "" }),
  computed: {
    columnMs: () => view.rangeMs / COLUMNS,
  },
  watch: {
    "view.cursor": repaint,
    "view.rangeMs"() {
      this.tell();
      repaint();
    },
    "view.tick"() {
      if (!this.toldAt || feed.last() - this.toldAt > TOLD_EVERY_MS) this.tell();
    },
  },
  mounted() {
    show(this.$refs.canvas, (theme) => this.paint(theme));
    this.tell();
  },
  beforeUnmount() {
    hide(this.$refs.canvas);
  },
  methods: {
    keyStyle: (line) => ({ background: `var(--chart-${line.colour})`, opacity: line.dash ? 0.75 : 1 }),
    /** The figure at the cursor, else the latest; of columns, the sum of the one that holds it. */
    figure(line) {
      void view.tick;
      const series = feed.series;
      const values = series.column(line.key);
      const at = view.cursor ?? series.last();
      const row = at === null ? -1 : series.indexAt(at);
      if (row < 0) return NONE;
      if (this.kind === "line") return this.format(values[row]);
      const slot = Math.floor(at / this.columnMs) * this.columnMs;
      const of = view.cursor ? slot : slot - this.columnMs; // the column of now is still filling
      return this.format(rates(series.at, values, of, this.columnMs).get(of) ?? 0);
    },
    tell() {
      this.toldAt = feed.last();
      const series = feed.series;
      const from = series.indexAt((series.last() ?? 0) - view.rangeMs);
      const words = this.lines.slice(0, 8).map((line) => {
        const { low, high, now } = span(series.column(line.key), from);
        if (now === null) return `${line.name}: no figure now`;
        return `${line.name}: now ${this.format(now)}, between ${this.format(low)} and ${this.format(high)}`;
      });
      const limit = this.limit === null ? "" : ` The limit is ${this.format(this.limit)}.`;
      this.told = `${this.label}, last ${view.rangeMs / 60_000} minutes. ${words.join("; ")}.${limit}`;
    },
    paint(theme) {
      const drawn = paint.surface(this.$refs.canvas);
      const to = feed.last();
      if (!drawn || to === null) return;
      const { stacks, high } = this.kind === "columns" ? this.stacks(to, theme) : { stacks: null, high: this.highest(to) };
      const top = this.top || roundUp(Math.max(high, this.least));
      const plot = paint.plotOf(drawn, { from: to - view.rangeMs, to, top, foot: this.axes ? 18 : 0 });
      this.plot = plot;
      const marks = !this.axes ? [0] : this.top ? [0, plot.top] : [0, plot.top / 2, plot.top];
      paint.grid(plot, marks, theme);
      if (stacks) paint.columns(plot, stacks, this.columnMs);
      else this.paintLines(plot, theme);
      if (this.limit !== null) paint.limit(plot, this.limit, this.axes ? this.limitText : "", theme);
      if (this.axes) this.write(plot, marks, theme);
      if (view.cursor) paint.cursor(plot, view.cursor, this.axes ? clock(view.cursor) : "", theme);
    },
    write(plot, marks, theme) {
      paint.labels(plot, marks, this.format, theme);
      paint.moments(plot, view.rangeMs / 60_000, theme);
    },
    paintLines(plot, theme) {
      for (const { key, colour, dash, fill, width } of this.lines) {
        const style = { colour: theme.of(colour), dash: dash ? [4, 3] : [], fill: fill ? 0.14 : 0, width };
        paint.line(plot, feed.series.at, feed.series.column(key), style);
      }
    },
    highest(to) {
      const from = feed.series.indexAt(to - view.rangeMs);
      return Math.max(0, ...this.lines.map((line) => span(feed.series.column(line.key), from).high ?? 0));
    },
    stacks(to, theme) {
      const { at } = feed.series;
      const stacks = this.lines.map((line) => ({
        rates: rates(at, feed.series.column(line.key), to - view.rangeMs, this.columnMs), colour: theme.of(line.colour),
      }));
      const heights = new Map();
      for (const { rates: found } of stacks) for (const [slot, n] of found) heights.set(slot, (heights.get(slot) ?? 0) + n);
      return { stacks, high: Math.max(0, ...heights.values()) };
    },
    point(event) {
      if (!this.plot || event.pointerType === "touch") return; // a finger scrolls the page
      const share = event.offsetX / this.$refs.canvas.clientWidth;
      view.cursor = this.plot.from + share * (this.plot.to - this.plot.from);
    },
    /** The cursor by keyboard: arrows, Home and End; Escape goes back to now. */
    step(event) {
      const to = feed.last();
      const leap = view.rangeMs / (event.shiftKey ? 12 : 60);
      const moves = { ArrowLeft: -leap, ArrowRight: leap, Home: -view.rangeMs, End: view.rangeMs };
      if (event.key === "Escape") return this.leave();
      if (!(event.key in moves) || to === null) return;
      event.preventDefault();
      view.cursor = Math.min(to, Math.max(to - view.rangeMs, (view.cursor ?? to) + moves[event.key]));
    },
    leave() {
      view.cursor = null;
    },
  },
};
