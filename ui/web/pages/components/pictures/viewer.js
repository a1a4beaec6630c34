// One job in full: the pictures large, to be compared and enlarged, and why it ran where it ran.

import { computed, ref } from "vue";
import { isReadable, nameOf, ran, standing, titleOf } from "overspill/js/words.js";
import Compare from "./compare.js";
import Icon from "./icon.js";
import Why from "./why.js";

export default {
  components: { Compare, Icon, Why },
  props: { item: Object, part: String, act: Object, page: Boolean },
  emits: ["close", "step"],
  template: `
    <div class="view-head">
      <component :is="page ? 'h1' : 'h2'" class="view-name" id="view-title">{{ job.name || "Picture" }}</component>
      <p class="soft">{{ titleOf(job.operation) }} · {{ standing(job) }}<template v-if="ran(job) && job.state === 'done'"> · {{ ran(job) }}</template></p>
      <div class="view-acts">
        <button v-if="!page" type="button" class="button bare square" @click="$emit('step', -1)" aria-label="The picture before" title="The picture before (k)"><Icon name="before"/></button>
        <button v-if="!page" type="button" class="button bare square" @click="$emit('step', 1)" aria-label="The next picture" title="The next picture (j)"><Icon name="after"/></button>
        <template v-if="compares">
          <button type="button" class="button bare square" @click="compare.enlarge(compare.zoom / 1.5)" aria-label="Smaller"><Icon name="minus"/></button>
          <button type="button" class="button bare square" @click="compare.enlarge(compare.zoom * 1.5)" aria-label="Larger"><Icon name="plus"/></button>
        </template>
        <a v-if="done && !job.result.caption" class="button small main" :href="job.result.url" :download="nameOf(job)"><Icon name="download"/>Download</a>
        <button v-if="job.result?.caption" type="button" class="button small main" @click="act.copy(item)"><Icon name="copy"/>Copy</button>
        <a v-if="!page" class="button small bare" :href="job.page"><Icon name="link"/>Page</a>
        <slot></slot>
      </div>
      <button v-if="!page" type="button" class="button bare square view-close" @click="$emit('close')" aria-label="Close"><Icon name="stop"/></button>
    </div>
    <div class="view-stage" :class="{ 'has-alpha': job.operation === 'remove-background' && done }" :style="{ '--ratio': ratio }">
      <Compare v-if="compares" ref="compare" zoomable :before="job.picture.preview" :after="job.result.preview"
               :sharp-before="job.picture.url" :sharp-after="job.result.url" :name="job.name || 'the picture'"/>
      <img v-else-if="isReadable(job)" class="view-shot" :src="job.picture.preview" :alt="job.name || 'The picture'">
    </div>
    <p v-if="compares" class="view-hint soft"><span class="mouse">Drag the line, or use the arrow keys. Wheel or + and − enlarge; 0 shows all of it.</span><span class="touch">Drag the line; + enlarges, − shows all of it again.</span></p>
    <blockquote v-if="job.result?.caption" class="view-caption">{{ job.result.caption }}</blockquote>
    <div v-if="job.state === 'failed' && job.problem" class="problem-box" role="note"><b>{{ job.problem.title }}</b>
      <p>{{ job.problem.detail }} {{ job.problem.remedy }}</p></div>
    <section ref="reasons" class="view-why" aria-labelledby="why-title" tabindex="-1">
      <component :is="page ? 'h2' : 'h3'" id="why-title">Why there?</component>
      <Why :job="job"/>
    </section>`,
  setup(props, { expose }) {
    const compare = ref(null);
    const reasons = ref(null);
    const job = computed(() => props.item.job);
    const done = computed(() => job.value.state === "done" && Boolean(job.value.result));
    const compares = computed(() => done.value && job.value.result.type.startsWith("image/"));
    const ratio = computed(() => (job.value.picture.width && job.value.picture.height ? `${job.value.picture.width} / ${job.value.picture.height}` : "3 / 2"));

    // Puts the focus where `part` is; after a dialog was shown, which has put it on its first button.
    function toPart() {
      if (props.part !== "why") return compare.value?.focus();
      reasons.value.scrollIntoView({ block: "start" });
      return reasons.value.focus({ preventScroll: true });
    }
    expose({ toPart });
    return { compare, reasons, job, done, compares, ratio, isReadable, nameOf, ran, standing, titleOf };
  },
};
