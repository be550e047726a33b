/**
 * Synonyms: phrases that find each other, or of which one finds the others.
 */

import { html, useState } from "../shared/html.js";
import { plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Part } from "./parts.js";

/** As many as are drawn at once: thousands are kept. */
const SHOWN = 50;
let nextKey = 0;

/**
 * @typedef {{key: number, type: "two_way" | "one_way", from: string, phrases: string}} Rule `phrases`: apart by commas
 * @param {object[]} synonyms as the API says them
 * @returns {Rule[]}
 */
export function rulesOf(synonyms) {
  return synonyms.map((rule) => ({ key: (nextKey += 1), type: rule.type, from: rule.from ?? "", phrases: (rule.phrases ?? rule.to).join(", ") }));
}

const phrasesOf = (text) => text.split(",").map((phrase) => phrase.trim()).filter(Boolean);
const isBlank = (rule) => rule.phrases.trim() === "" && rule.from.trim() === "";

/**
 * The inverse of {@link rulesOf}; a rule in which nothing stands yet is none.
 * @param {Rule[]} rules
 */
export function kept(rules) {
  return rules.filter((rule) => !isBlank(rule)).map(({ type, from, phrases }) =>
    type === "two_way" ? { type, phrases: phrasesOf(phrases) } : { type, from: from.trim(), to: phrasesOf(phrases) },
  );
}

/** @param {{rules: Rule[], onChange: (rules: Rule[]) => void, faults: {pointer?: string, detail: string}[]}} props */
export function Synonyms({ rules, onChange, faults }) {
  const [sought, setSought] = useState("");
  const change = (key, changes) => onChange(rules.map((rule) => (rule.key === key ? { ...rule, ...changes } : rule)));
  const add = () => {
    setSought("");
    onChange([{ key: (nextKey += 1), type: "two_way", from: "", phrases: "" }, ...rules]);
    requestAnimationFrame(() => document.querySelector(".synonyms input[type=text]")?.focus());
  };
  const needle = sought.trim().toLowerCase();
  const found = rules.filter(({ from, phrases }) => needle === "" || `${from}, ${phrases}`.toLowerCase().includes(needle));
  // Faults count the rules that were sent.
  const sent = rules.filter((rule) => !isBlank(rule));
  const faultOf = (rule) => faults.filter(({ pointer }) => pointer?.startsWith(`/synonyms/${sent.indexOf(rule)}/`) || pointer === `/synonyms/${sent.indexOf(rule)}`);
  return html`<${Part} title="Synonyms" class="synonyms" lead="Phrases of one to five words that stand for each other."
      actions=${html`<button type="button" class="button small" onClick=${add}><${Icon} name="plus" class="small" />Add</button>`}>
    ${rules.length > 8 && html`<label class="filter typed"><span class="hidden">Find a synonym</span><${Icon} name="search" class="small" /><input class="input small" type="search" placeholder=${`Find among ${rules.length}`} value=${sought} onInput=${(event) => setSought(event.target.value)} /></label>`}
    ${rules.length === 0 && html`<p class="muted">None yet. For example “tv, television”: a search for either finds both.</p>`}
    <ul class="rules">${found.slice(0, SHOWN).map((rule) => html`<${RuleRow} key=${rule.key} rule=${rule} faults=${faultOf(rule)} onChange=${(changes) => change(rule.key, changes)} onRemove=${() => onChange(rules.filter(({ key }) => key !== rule.key))} />`)}</ul>
    ${found.length > SHOWN && html`<p class="fine">${plural(found.length - SHOWN, "more rule")}: find them above.</p>`}
  <//>`;
}

function RuleRow({ rule, faults, onChange, onRemove }) {
  const name = rule.from || rule.phrases || "new rule";
  return html`<li class=${rule.type}>
    <div class="rule">
      <select class="input small" aria-label=${`Direction of ${name}`} value=${rule.type} onChange=${(event) => onChange({ type: event.target.value })}>
        <option value="two_way">Each finds all</option><option value="one_way">One finds others</option>
      </select>
      ${rule.type === "one_way" && html`<input class="input small from" type="text" value=${rule.from} placeholder="phone" aria-label="A search for" onInput=${(event) => onChange({ from: event.target.value })} /><span aria-hidden="true">→</span>`}
      <input class="input small phrases" type="text" value=${rule.phrases} placeholder=${rule.type === "two_way" ? "tv, television" : "smartphone, mobile"} aria-label=${rule.type === "two_way" ? "Phrases, apart by commas" : "Also finds, apart by commas"}
        aria-invalid=${faults.length > 0 ? "true" : undefined} onInput=${(event) => onChange({ phrases: event.target.value })} />
      <button type="button" class="icon-button" aria-label=${`Remove ${name}`} onClick=${onRemove}><${Icon} name="trash" class="small" /></button>
    </div>
    ${faults.length > 0 && html`<p class="fault">${faults.map(({ pointer, detail }) => `${pointer.split("/").slice(3).join(" ")} ${detail}`).join("; ")}</p>`}
  </li>`;
}
