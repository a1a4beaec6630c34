// What to do with a picture, or a batch: the operation, its parameters, and whether it may go to the cloud.

import { computed, ref } from "vue";
import { OPERATIONS, titleOf } from "overspill/js/words.js";
import Icon from "./icon.js";
import { asWords, fieldsOf } from "./fields.js";

export default {
  components: { Icon },
  props: {
    choice: Object, // {operation, values: {operation: {name: value}}, site}, changed in place
    operations: Array, // as /api/v1/me tells them
    group: String, // names the radio buttons of this form
  },
  template: `
    <div class="options">
      <fieldset class="operations">
        <legend class="unseen">What to do</legend>
        <label v-for="operation in operations" :key="operation.name" class="operation">
          <input type="radio" :name="group" :value="operation.name" v-model="choice.operation">
          <span class="operation-face">
            <Icon :name="operation.name"/>
            <span><b>{{ titleOf(operation.name) }}</b><small>{{ doesOf(operation.name) }}</small></span>
          </span>
        </label>
      </fieldset>
      <p v-if="chosen && chosen.served === false" class="note" role="note">
        No machine does this just now<template v-if="chosen.why">: {{ chosen.why }}</template> A job would wait for one.
      </p>
      <div class="fields">
        <template v-for="field in shown" :key="choice.operation + field.name">
          <fieldset v-if="field.kind === 'segments'" class="field">
            <legend class="label">{{ field.label }}</legend>
            <span class="segments">
              <label v-for="value in field.choices" :key="value">
                <input type="radio" :name="group + field.name" :value="value" :checked="valueOf(field) === value" @change="set(field, value)">
                <span>{{ asWords(value) }}</span>
              </label>
            </span>
          </fieldset>
          <label v-else-if="field.kind === 'list'" class="field">
            <span class="label">{{ field.label }}</span>
            <select :value="valueOf(field)" @change="set(field, $event.target.value)">
              <option v-for="value in field.choices" :key="value" :value="value">{{ value }}</option>
            </select>
          </label>
          <label v-else-if="field.kind === 'range'" class="field">
            <span class="label">{{ field.label }}<output>{{ +valueOf(field).toFixed(2) }}</output></span>
            <input type="range" :min="field.min" :max="field.max" :step="field.step" :value="valueOf(field)"
                   @input="set(field, Number($event.target.value))">
          </label>
          <label v-else-if="field.kind === 'switch'" class="check">
            <input type="checkbox" :checked="valueOf(field)" @change="set(field, $event.target.checked)"> {{ field.label }}
          </label>
          <div v-else-if="field.kind === 'colour'" class="field colour">
            <label class="check"><input type="checkbox" :checked="valueOf(field) !== null"
              @change="set(field, $event.target.checked ? '#ffffff' : null)"> On a colour</label>
            <input v-if="valueOf(field) !== null" type="color" :value="valueOf(field)" :aria-label="field.label"
                   @input="set(field, $event.target.value)">
          </div>
          <label v-else class="field">
            <span class="label">{{ field.label }}</span>
            <input type="text" :maxlength="field.most" :value="valueOf(field)" @input="set(field, $event.target.value || null)">
          </label>
        </template>
      </div>
      <div class="options-foot">
        <label class="check"><input type="checkbox" :checked="choice.site === 'local'"
          @change="choice.site = $event.target.checked ? 'local' : 'any'"> Keep off the cloud</label>
        <button v-if="fields.some((field) => field.seldom)" type="button" class="button bare small" :aria-expanded="more"
                @click="more = !more"><Icon name="sliders"/>{{ more ? "Fewer options" : "More options" }}</button>
      </div>
    </div>`,
  setup(props) {
    const more = ref(false);
    const chosen = computed(() => props.operations.find(({ name }) => name === props.choice.operation));
    const fields = computed(() => fieldsOf(chosen.value?.params));
    const shown = computed(() => fields.value.filter((field) => more.value || !field.seldom));
    const values = () => (props.choice.values[props.choice.operation] ??= {});
    const valueOf = (field) => values()[field.name] ?? field.value;
    const set = (field, value) => (values()[field.name] = value);
    const doesOf = (name) => OPERATIONS[name]?.does ?? "";
    return { more, chosen, fields, shown, valueOf, set, titleOf, doesOf, asWords };
  },
};
