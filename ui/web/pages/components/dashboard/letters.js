// Dead letters: jobs that could have no answer, with what became of them; an operator replays or removes each.
import { ask } from "overspill/js/wire.js";
import { size } from "overspill/js/words.js";
import { order, wordsOf } from "./ask.js";
import { ago, clock, plural, sentence } from "./words.js";

const SETTLED_MS = 3_000;
const OFTEN = 3; // replays; the server wants to be told that one more is meant

export default {
  name: "LettersPanel",
  props: { sample: Object },
  template: `
    <section class="panel" aria-labelledby="dead">
      <header class="panel__head"><h2 id="dead">Dead letters</h2>
        <p class="soft">{{ told }}</p>
        <button class="button small push" :disabled="loading" @click="load">{{ loading ? "Reading …" : "Read again" }}</button></header>
      <div class="card">
        <p v-if="fault" class="empty tone-bad">{{ fault }}</p>
        <p v-else-if="!letters.length" class="empty">{{ loading ? "Reading …" : "None. Every job has had its answer." }}</p>
        <ul v-else class="letters">
          <li v-for="(letter, i) in letters" :key="letter.id + i" class="letter">
            <div class="letter__what"><strong>{{ letter.operation || "unknown operation" }}</strong>
              <span>of {{ letter.user || "anonymous" }}</span>
              <span class="soft">{{ about(letter) }}</span></div>
            <p class="letter__why">{{ sentence(letter.reason) || "No reason was kept." }}
              <span v-if="letter.refused" class="soft">It can't be replayed: {{ letter.refused }}</span></p>
            <details v-if="letter.history && letter.history.length"><summary>{{ plural(letter.history.length, "entry", "entries") + " of its history" }}</summary>
              <ol><li v-for="(attempt, i) in letter.history" :key="i">
                <span v-if="attempt.left_out" class="soft">({{ attempt.left_out }} before it not kept)</span>
                <span class="soft">{{ clock(attempt.at_ms) }}</span> <b>{{ attempt.vm }}</b> {{ attempt.reason }}</li>
              <li v-if="letter.job" class="soft">Its id was <code>{{ letter.job }}</code>.</li></ol></details>
            <div class="letter__do">
              <button v-if="!letter.refused" class="button small" :disabled="asked === letter.id" @click="replay(letter)"
                :aria-label="'Replay the ' + letter.operation + ' job of ' + letter.user">{{ anyway(letter) ? "Replay anyway" : "Replay" }}</button>
              <button class="button small bare" :disabled="asked === letter.id" @click="confirm(letter)"
                :aria-label="'Remove the ' + letter.operation + ' job of ' + letter.user">Remove</button></div>
          </li>
        </ul>
        <p v-if="more" class="soft">More lie behind these.</p>
      </div>
      <dialog ref="dialog" aria-labelledby="letter-remove" @close="doomed = null">
        <h2 id="letter-remove">Remove this dead letter?</h2>
        <p v-if="doomed">The {{ doomed.operation }} job of {{ doomed.user || "anonymous" }} and its picture are removed for good. Nobody can replay it afterwards.</p>
        <form method="dialog" class="dialog__do"><button class="button" autofocus>Keep it</button>
          <button class="button danger" type="button" @click="remove">Remove</button></form>
      </dialog>
    </section>`,
  setup: () => ({ clock, plural, sentence, size }),
  data: () => ({ letters: [], more: false, loading: false, fault: "", asked: "", declined: [], doomed: null }),
  computed: {
    dead() { return this.sample.queues.dead ?? 0; },
    told() { return this.dead ? `${plural(this.dead, "job")} that could have no answer` : ""; },
  },
  watch: {
    // The count is another than ours when somebody else replays, or a letter comes; while letters are looked at it is
    // none for a moment, so that it is not believed right after.
    sample() {
      const differs = this.more ? this.dead < this.letters.length : this.dead !== this.letters.length;
      if (differs && Date.now() - this.readAt > SETTLED_MS) this.load();
    },
  },
  mounted() {
    this.load();
  },
  methods: {
    async load() {
      if (this.loading) return;
      this.loading = true;
      try {
        Object.assign(this, await ask("/dead"), { fault: "" });
      } catch (error) {
        this.fault = wordsOf(error);
      }
      this.loading = false;
      this.readAt = Date.now();
    },
    about({ dead_ms, bytes, claimed, replays }) {
      const told = [dead_ms ? ago(Date.now() - dead_ms) : "", claimed ? "picture in the store" : size(bytes)];
      return [...told, replays ? `replayed ${plural(replays, "time")}` : ""].filter(Boolean).join(", ");
    },
    confirm(letter) {
      this.doomed = letter;
      this.$refs.dialog.showModal();
    },
    anyway({ id, replays }) {
      return replays >= OFTEN || this.declined.includes(id);
    },
    async replay(letter) {
      const path = `/dead/${encodeURIComponent(letter.id)}/replay${this.anyway(letter) ? "?force=true" : ""}`;
      const declined = () => this.declined.push(letter.id);
      return this.settle(letter, path, { done: "Replayed: the job is in line again.", declined });
    },
    remove() {
      const letter = this.doomed;
      this.$refs.dialog.close();
      return this.settle(letter, `/dead/${encodeURIComponent(letter.id)}`, { method: "DELETE", done: "Removed." });
    },
    async settle(letter, path, how) {
      this.asked = letter.id;
      const done = await order(path, how);
      if (done) this.letters = this.letters.filter(({ id }) => id !== letter.id);
      this.asked = "";
    },
  },
};
