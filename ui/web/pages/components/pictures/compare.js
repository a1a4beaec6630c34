// Before and after, one over the other, with a line between them to be moved by mouse, touch or keyboard.
// A native range carries the keyboard and screen readers. With `zoomable`, the picture can be enlarged and moved about.

import { computed, reactive, ref, watch } from "vue";
import calmly from "./calmly.js";

const CLICK_PX = 4;
const MOST = 8;

export default {
  directives: { calmly },
  props: {
    before: String,
    after: String,
    sharpBefore: String, // loaded once enlarged
    sharpAfter: String,
    name: String,
    zoomable: Boolean,
  },
  emits: ["press"],
  template: `
    <div ref="stage" class="compare" :class="{ zoomable, enlarged: zoom > 1, awaits: !there }" :style="{ '--at': at + '%' }"
         @pointerdown="down" @pointermove="move" @pointerup="up" @pointercancel="held = null"
         @wheel="wheel" @dblclick="zoomable && enlarge(zoom > 1 ? 1 : 2.5)">
      <div class="compare-side compare-after"><img v-calmly:[urgency]="sources.after" :style="shift" :alt="'After: ' + name"
           draggable="false" decoding="async" @load="there = true" @error="sharp = false"></div>
      <div class="compare-side compare-before"><img v-calmly:[urgency]="sources.before" :style="shift" :alt="'Before: ' + name"
           draggable="false" decoding="async" @error="sharp = false"></div>
      <div class="compare-line" aria-hidden="true"><span></span></div>
      <span class="compare-tag left" aria-hidden="true" v-show="at > 18">Before</span>
      <span class="compare-tag right" aria-hidden="true" v-show="at < 82">After</span>
      <input class="compare-range" type="range" min="0" max="100" v-model.number="at" @keydown="key"
             :aria-label="'Before and after of ' + name" :aria-valuetext="at + ' % before'">
    </div>`,
  setup(props, { emit, expose }) {
    const stage = ref(null);
    const at = ref(50);
    const zoom = ref(1);
    const offset = reactive({ x: 0, y: 0 });
    const sharp = ref(false);
    const held = ref(null);
    const there = ref(false); // the result; until then the picture before is whole

    watch(zoom, () => (sharp.value ||= zoom.value > 1.4 && Boolean(props.sharpAfter)));
    watch(() => props.after, () => ((there.value = sharp.value = false), enlarge(1)));
    const sources = computed(() => ({
      before: sharp.value ? props.sharpBefore : props.before,
      after: sharp.value ? props.sharpAfter : props.after,
    }));
    const shift = computed(() => (zoom.value > 1 ? { transform: `translate(${offset.x}px, ${offset.y}px) scale(${zoom.value})` } : {}));

    function enlarge(to) {
      zoom.value = Math.min(MOST, Math.max(1, to));
      pan(0, 0);
    }

    // Moves the picture, but never so far that it leaves the stage.
    function pan(dx, dy) {
      const box = stage.value?.getBoundingClientRect();
      if (!box) return;
      const room = (side) => (side * (zoom.value - 1)) / 2;
      offset.x = clamp(offset.x + dx, room(box.width));
      offset.y = clamp(offset.y + dy, room(box.height));
    }

    function slideTo(clientX) {
      const box = stage.value.getBoundingClientRect();
      at.value = Math.round(Math.min(100, Math.max(0, ((clientX - box.left) / box.width) * 100)));
    }

    function down(event) {
      if (event.button !== 0) return;
      const box = stage.value.getBoundingClientRect();
      const nearLine = Math.abs(event.clientX - box.left - (box.width * at.value) / 100) < 24;
      held.value = { x: event.clientX, y: event.clientY, pans: zoom.value > 1 && !nearLine, moved: false };
      stage.value.setPointerCapture(event.pointerId);
    }

    function move(event) {
      const from = held.value;
      if (!from) return;
      from.moved ||= Math.hypot(event.clientX - from.x, event.clientY - from.y) > CLICK_PX;
      if (!from.moved) return;
      if (from.pans) {
        pan(event.clientX - from.x, event.clientY - from.y);
        Object.assign(from, { x: event.clientX, y: event.clientY });
      } else slideTo(event.clientX);
    }

    function up(event) {
      if (held.value && !held.value.moved) props.zoomable ? zoom.value === 1 && slideTo(event.clientX) : emit("press");
      held.value = null;
    }

    function wheel(event) {
      if (!props.zoomable) return;
      event.preventDefault();
      enlarge(zoom.value * Math.exp(-event.deltaY / 400));
    }

    function key(event) {
      if (event.key === "Enter" && !props.zoomable) emit("press");
      else if (!props.zoomable) return;
      else if (event.key === "+" || event.key === "=") enlarge(zoom.value * 1.4);
      else if (event.key === "-") enlarge(zoom.value / 1.4);
      else if (event.key === "0") enlarge(1);
      else if (event.shiftKey && zoom.value > 1 && event.key in ARROWS) pan(...ARROWS[event.key]);
      else return;
      event.preventDefault();
    }

    const focus = () => stage.value.querySelector("input").focus({ preventScroll: true });
    expose({ enlarge, focus, zoom });
    const urgency = props.zoomable ? "now" : "in-turn"; // large pictures are what somebody has just asked for
    return { urgency, stage, at, zoom, held, sharp, sources, there, shift, enlarge, down, move, up, wheel, key };
  },
};

const ARROWS = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };

function clamp(value, most) {
  return Math.min(most, Math.max(-most, value));
}
