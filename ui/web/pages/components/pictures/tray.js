// Pictures that were taken in and not yet sent: one decision for all of them, or another for some.

import { reactive, ref, nextTick } from "vue";
import { size, titleOf } from "overspill/js/words.js";
import Icon from "./icon.js";
import Options from "./options.js";

export default {
  components: { Icon, Options },
  props: { pictures: Array, choice: Object, operations: Array },
  emits: ["start", "leave-out", "clear"],
  template: `
    <section class="tray" aria-labelledby="tray-title">
      <div class="tray-head">
        <h2 id="tray-title">{{ pictures.length === 1 ? "1 picture" : pictures.length + " pictures" }} ready</h2>
        <button type="button" class="button bare" @click="$emit('clear')">Clear</button>
        <button type="button" class="button main" id="start" @click="$emit('start')">
          {{ startLabel() }}</button>
      </div>
      <ul class="tray-list" aria-label="Pictures to send">
        <li v-for="picture in pictures" :key="picture.key" class="tile">
          <img v-if="picture.local" :src="picture.local" alt="" decoding="async">
          <span v-else class="tile-blank"><Icon name="picture"/></span>
          <span class="tile-name" :title="picture.file.name">{{ picture.file.name }}</span>
          <button type="button" class="tile-do" :class="{ own: picture.own }" @click="edit(picture)"
                  :aria-label="'Options for ' + picture.file.name + ': ' + doing(picture)">{{ doing(picture) }}</button>
          <button type="button" class="tile-out" @click="$emit('leave-out', picture)" :aria-label="'Leave out ' + picture.file.name">
            <Icon name="stop"/></button>
        </li>
      </ul>
      <dialog ref="dialog" class="own-dialog" aria-labelledby="own-title" @close="edited = null">
        <template v-if="edited">
          <h2 id="own-title">{{ edited.file.name }}</h2>
          <p class="soft">{{ size(edited.file.size) }} · for this picture only</p>
          <Options :choice="edited.own" :operations="operations" group="own"/>
          <div class="dialog-foot">
            <button type="button" class="button bare" @click="asOthers">Same as the others</button>
            <button type="button" class="button main" @click="dialog.close()">Keep</button>
          </div>
        </template>
      </dialog>
    </section>`,
  setup(props) {
    const dialog = ref(null);
    const edited = ref(null);

    async function edit(picture) {
      picture.own ??= reactive(JSON.parse(JSON.stringify(props.choice)));
      edited.value = picture;
      await nextTick();
      dialog.value.showModal();
    }

    function asOthers() {
      edited.value.own = null;
      dialog.value.close();
    }

    const doing = (picture) => titleOf((picture.own ?? props.choice).operation);
    const startLabel = () => {
      const own = props.pictures.some((picture) => picture.own);
      return own ? "Start" : { sketch: "Sketch", caption: "Caption" }[props.choice.operation] ?? titleOf(props.choice.operation);
    };
    return { dialog, edited, edit, asOthers, doing, size, startLabel };
  },
};
