// From files to uploads: what was taken in waits in the tray until the person has said what to do.

import { nextTick, shallowReactive, watch } from "vue";
import { toast } from "overspill/js/toasts.js";
import { size } from "overspill/js/words.js";
import { fieldsOf, given } from "./fields.js";
import { sorted } from "./intake.js";
import { thumbOf } from "./thumbs.js";

// `me` and `choice` as the board has them; `begun` is called once pictures have gone on to be uploads.
export function makeStaging({ me, choice, store, uploads, newest, begun }) {
  const tray = shallowReactive([]);

  function takeIn(pictures, others) {
    if (others.length > 0) toast(others.length === 1 ? `${others[0].name} is not a picture.` : `${others.length} files are not pictures.`);
    const most = me.value?.limits.max_bytes ?? Infinity;
    pictures.filter((file) => file.size > most).forEach(({ name }) => toast(`${name} is larger than ${size(most)}, the most that is taken.`));
    pictures.filter((file) => file.size <= most).forEach(stage);
    nextTick(() => document.getElementById("start")?.focus());
  }

  async function stage(file) {
    const picture = shallowReactive({ key: newKey(), file, own: null, local: null });
    tray.push(picture);
    picture.local = await thumbOf(file);
  }

  function picked(event) {
    takeIn(...sorted(event.target.files));
    event.target.value = ""; // so that the same file can be picked again
  }

  async function take(sample) {
    try {
      const bytes = await (await fetch(sample.url)).blob();
      takeIn([new File([bytes], sample.name, { type: bytes.type })], []);
    } catch {
      toast("The sample can't be reached just now.");
    }
  }

  function start() {
    const at = Math.max(Date.now(), newest() + 1); // on top, whatever the clocks say
    tray.splice(0).forEach((picture, index) => send(picture, at - index / 1000));
    begun();
  }

  function send(picture, at) {
    const upload = { file: picture.file, key: picture.key, choice: ordered(picture.own ?? choice) };
    const item = store.add({ key: picture.key, upload, local: picture.local, at });
    if (!picture.local) watch(() => picture.local, (local) => (item.local = local));
    uploads.send(item);
  }

  function ordered({ operation, values, site }) {
    const told = me.value?.operations.find(({ name }) => name === operation);
    return { operation, params: given(values[operation] ?? {}, fieldsOf(told?.params)), site };
  }

  const leaveOut = (picture) => tray.splice(tray.indexOf(picture), 1);
  const clear = () => tray.splice(0);
  return { tray, takeIn, picked, take, start, leaveOut, clear };
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
