// The server's words, with what stands between backticks as code: commands to copy.
import { h } from "vue";

export default {
  name: "CodedText",
  props: { text: { type: String, default: "" } },
  render() {
    return h("span", this.text.split("`").map((part, i) => (i % 2 ? h("code", part) : part)));
  },
};
