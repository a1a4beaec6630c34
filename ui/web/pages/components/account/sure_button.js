// A button that asks once more before it does what can't be undone: the second press, within some seconds, does it.
const OPEN_MS = 5000;

export default {
  name: "SureButton",
  props: { what: String, about: String },
  emits: ["sure"],
  template: `
    <button type="button" class="button small" :class="{ sure: open }" :aria-label="label" @click="press" @blur="shut">
      {{ open ? what + " for good?" : what }}</button>`,
  data: () => ({ open: false }),
  computed: {
    label() { return this.open ? `${this.what} ${this.about} for good?` : `${this.what} ${this.about}`; },
  },
  unmounted() {
    clearTimeout(this.timer);
  },
  methods: {
    press() {
      clearTimeout(this.timer);
      if (this.open) this.$emit("sure");
      else this.timer = setTimeout(this.shut, OPEN_MS);
      this.open = !this.open;
    },
    shut() {
      this.open = false;
    },
  },
};
