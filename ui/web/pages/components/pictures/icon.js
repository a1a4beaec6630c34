// One of the drawings in symbols.svg; next to words, or within something that is labelled.

const SYMBOLS = new URL("../../icons/symbols.svg", import.meta.url).pathname;

export default {
  props: { name: String },
  template: `<svg class="icon" aria-hidden="true" focusable="false"><use :href="href"></use></svg>`,
  computed: {
    href() {
      return `${SYMBOLS}#${this.name}`;
    },
  },
};
