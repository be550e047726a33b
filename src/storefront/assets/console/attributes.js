/**
 * A product's attributes as rows of a name and a value. Several rows of one name are a list.
 */

import { html } from "../shared/html.js";
import { Icon } from "../shared/icons.js";

let nextKey = 0;

/**
 * @typedef {{key: number, name: string, text: string, was: unknown}} AttributeRow
 * @param {Record<string, unknown>} attributes
 * @returns {AttributeRow[]}
 */
export function rowsOf(attributes) {
  return Object.entries(attributes).flatMap(([name, value]) =>
    [value].flat().map((one) => ({ key: (nextKey += 1), name, text: String(one), was: one })),
  );
}

/**
 * The inverse of {@link rowsOf}: numbers and truths stay what they were as long as they can be read as such.
 * @param {AttributeRow[]} rows
 * @returns {Record<string, unknown>}
 */
export function attributesOf(rows) {
  const found = {};
  for (const { name, text, was } of rows) {
    const [key, said] = [name.trim(), text.trim()];
    if (key === "" && said === "") continue;
    found[key] = key in found ? [found[key], said].flat() : typed(said, was);
  }
  return found;
}

function typed(text, was) {
  if (typeof was === "number" && text !== "" && !Number.isNaN(Number(text))) return Number(text);
  if (typeof was === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

/**
 * @param {{rows: AttributeRow[], onChange: (rows: AttributeRow[]) => void, fault?: string}} props
 */
export function Attributes({ rows, onChange, fault }) {
  const change = (key, changes) => onChange(rows.map((row) => (row.key === key ? { ...row, ...changes } : row)));
  return html`<fieldset class="field"><legend>Attributes</legend>
    <ul class="attribute-rows">${rows.map(
      (row, at) => html`<li key=${row.key}>
        <input class="input small" value=${row.name} placeholder="Name" aria-label=${`Name of attribute ${at + 1}`} onInput=${(event) => change(row.key, { name: event.target.value })} />
        <input class="input small" value=${row.text} placeholder="Value" aria-label=${`Value of ${row.name || `attribute ${at + 1}`}`} onInput=${(event) => change(row.key, { text: event.target.value })} />
        <button type="button" class="icon-button" aria-label=${`Remove ${row.name || `attribute ${at + 1}`}`} onClick=${() => onChange(rows.filter(({ key }) => key !== row.key))}><${Icon} name="close" class="small" /></button>
      </li>`,
    )}</ul>
    ${fault && html`<p class="fault"><${Icon} name="alert" class="small" />${fault}</p>`}
    <button type="button" class="link-button" onClick=${() => onChange([...rows, { key: (nextKey += 1), name: "", text: "", was: "" }])}><${Icon} name="plus" class="small" />Add an attribute</button>
  </fieldset>`;
}
