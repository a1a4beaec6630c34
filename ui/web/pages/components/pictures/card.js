// One picture and what becomes of it: an upload first, then a job, in the same card throughout.

import { computed, inject, ref } from "vue";
import { ENDED, isReadable, mayPass, nameOf, ran, size, standing, titleOf } from "overspill/js/words.js";
import calmly from "./calmly.js";
import Compare from "./compare.js";
import { keepFocus } from "./focus.js";
import Icon from "./icon.js";

export default {
  components: { Compare, Icon },
  directives: { calmly },
  props: { item: Object },
  template: `
    <article ref="card" class="card" :class="['is-' + state, { 'has-alpha': alpha }]" tabindex="-1" :data-key="item.key"
             :aria-label="name + ', ' + title + ', ' + line">
      <div class="card-view">
        <Compare v-if="compares" :before="shot" :after="job.result.thumbnail" :name="name" @press="act.open(item)"/>
        <img v-else-if="shot && !lost" class="card-shot" v-calmly="shot" :alt="name" decoding="async" @error="lost = true">
        <span v-else class="card-blank"><Icon name="picture"/></span>
        <div v-if="moving" class="progress" role="progressbar" :aria-label="line" aria-valuemin="0" aria-valuemax="100"
             :aria-valuenow="percent ?? undefined" :class="{ free: percent === null }"><i :style="percent === null ? {} : { width: percent + '%' }"></i></div>
        <button v-if="job" type="button" class="card-open" @click="act.open(item)" :aria-label="'Open ' + name"><Icon name="open"/></button>
      </div>
      <div class="card-body">
        <h3 class="card-name" :title="name">{{ name }}</h3>
        <p class="card-line"><span>{{ title }}</span><span v-if="!done" class="card-state"><Icon v-if="problem" name="alert"/>{{ line }}</span>
          <button v-if="badge" type="button" class="badge" @click="act.why(item)" :aria-label="'Ran on ' + badge + '. Why there?'" title="Why there?">
            <Icon :name="job.route === 'cloud' ? 'cloud' : 'machine'"/>{{ badge }}</button></p>
        <blockquote v-if="caption" class="card-caption">{{ caption }}</blockquote>
        <p v-if="problem && !item.retried" class="card-problem">{{ problem.detail }} {{ problem.remedy }}</p>
        <p v-if="held" class="card-problem">{{ held }}</p>
        <p v-if="item.retried" class="card-problem">It was tried again, in a card of its own.</p>
        <p v-if="item.upload && problem" class="card-problem soft">Nothing of it is kept here: this card goes when the page is loaded anew.</p>
        <div class="card-acts">
          <template v-if="item.upload">
            <button v-if="problem && passable" type="button" class="button small" @click="act.resend(item)" :aria-label="'Try ' + name + ' again'"><Icon name="retry"/>Retry</button>
            <button type="button" class="button small bare" @click="act.cancel(item)" :aria-label="(problem ? 'Remove ' : 'Cancel ') + name">
              <Icon :name="problem ? 'bin' : 'stop'"/>{{ problem ? "Remove" : "Cancel" }}</button>
          </template>
          <button v-else-if="!ended" type="button" class="button small bare" @click="act.cancel(item)" :disabled="item.cancelling" :aria-label="'Cancel ' + name">
            <Icon name="stop"/>{{ item.cancelling ? "Cancelling …" : "Cancel" }}</button>
          <template v-else>
            <button v-if="caption" type="button" class="button small" @click="act.copy(item)" :aria-label="'Copy the caption of ' + name"><Icon name="copy"/>Copy</button>
            <a v-else-if="done" class="button small" :href="job.result.url" :download="download" :aria-label="'Download ' + name"><Icon name="download"/>Download</a>
            <button v-if="!done && !item.retried && passable" type="button" class="button small" @click="act.retry(item)" :aria-label="'Try ' + name + ' again'"><Icon name="retry"/>Retry</button>
            <button type="button" class="button small bare square push" @click="act.remove(item)" :aria-label="'Remove ' + name" title="Remove"><Icon name="bin"/></button>
          </template>
        </div>
      </div>
    </article>`,
  setup(props) {
    const job = computed(() => props.item.job);
    const upload = computed(() => props.item.upload);
    const lost = ref(false);
    const card = ref(null);
    keepFocus(card);
    const state = computed(() => (upload.value ? (problem.value ? "failed" : "upload") : job.value.state));
    const done = computed(() => job.value?.state === "done" && !upload.value);
    const ended = computed(() => Boolean(job.value && ENDED.has(job.value.state)));
    const problem = computed(() => upload.value?.problem ?? (job.value?.state === "failed" ? job.value.problem : null));
    const percent = computed(() => (upload.value?.state === "sending" ? Math.round(upload.value.sent * 100) : null));
    return {
      act: inject("act"),
      card,
      job,
      state,
      done,
      ended,
      problem,
      percent,
      lost,
      held: computed(() => (upload.value?.state === "held" ? upload.value.held : null)),
      passable: computed(() => mayPass(problem.value)),
      name: computed(() => upload.value?.file.name || job.value?.name || "Picture"),
      title: computed(() => titleOf(upload.value?.choice.operation ?? job.value.operation)),
      shot: computed(() => props.item.local ?? (isReadable(job.value) ? job.value.picture.thumbnail : null)),
      moving: computed(() => MOVING.has(upload.value?.state ?? job.value.state)),
      compares: computed(() => done.value && job.value.result?.type.startsWith("image/")),
      alpha: computed(() => done.value && job.value.operation === "remove-background"),
      caption: computed(() => (done.value ? job.value.result?.caption : null)),
      badge: computed(() => (done.value ? ran(job.value) : null)),
      line: computed(() => (upload.value ? uploading(upload.value) : standing(job.value))),
      download: computed(() => nameOf(job.value)),
    };
  },
};

const MOVING = new Set(["sending", "lost", "held", "routed", "running"]);

function uploading({ state, sent, file, problem }) {
  const words = {
    waiting: "Waiting to be sent",
    sending: sent < 1 ? `Sending, ${Math.round(sent * 100)} % of ${size(file.size)}` : "Sent, being checked",
    lost: "The line was lost; trying again",
    held: "Not taken just now; trying again",
  };
  return problem?.title ?? words[state];
}
