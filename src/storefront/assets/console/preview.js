/**
 * What one text finds under the settings that hold, and under the draft: side by side, as it is typed.
 */

import { html, useEffect, useState } from "../shared/html.js";
import { api } from "../shared/api.js";
import { count, money, plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { announce } from "../shared/ui.js";
import { Part } from "./parts.js";

const REST = 200;
/** Products on each side. */
const SHOWN = 10;

/** @param {{body: object, isChanged: boolean}} props */
export function Preview({ body, isChanged }) {
  const [text, setText] = useState("");
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const sent = JSON.stringify(body);
  const query = text.trim();
  useEffect(() => {
    if (query === "") {
      setFound(null);
      setProblem(null);
      return undefined;
    }
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const trial = { q: query, page_size: SHOWN, settings: JSON.parse(sent) };
        const answer = await api.post("/api/admin/search-settings/preview/", trial, { signal: stop.signal });
        if (stop.signal.aborted) return;
        setFound(answer);
        setProblem(null);
        announce(`Before: ${plural(answer.before.count, "product")}. With the draft: ${plural(answer.after.count, "product")}.`);
      } catch (refusal) {
        if (refusal.name === "AbortError" || stop.signal.aborted) return;
        if (!(refusal instanceof Problem)) throw refusal;
        setProblem(refusal);
      }
    }, REST);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [query, sent]);
  return html`<${Part} title="Preview" class="preview" lead="The same search, before and after.">
    <label class="filter typed wide"><span class="hidden">A search to try</span><${Icon} name="search" class="small" />
      <input class="input" type="search" maxlength="256" placeholder="Try a search…" value=${text} onInput=${(event) => setText(event.target.value)} autocomplete="off" /></label>
    ${problem && html`<p class="note bad" role="alert"><${Icon} name="alert" />${problem.faults.length > 0 ? "The draft is not whole yet: mend what is marked, or go on typing." : problem.message}</p>`}
    ${!found && !problem && html`<p class="muted blank">What it finds now stands on the left, what it would find on the right.</p>`}
    ${found && html`<div class="before-after">
      <${Side} title="Now" side=${found.before} />
      <${Side} title=${isChanged ? "With the draft" : "Nothing is changed"} side=${found.after} other=${found.before} />
    </div>`}
  <//>`;
}

function Side({ title, side, other }) {
  const difference = other ? side.count - other.count : 0;
  return html`<section aria-label=${title}>
    <h3>${title}</h3>
    <p class="fine number">${plural(side.count, "product")}${difference !== 0 && html` <strong class=${difference > 0 ? "up" : "down"}>${difference > 0 ? "+" : "−"}${count(Math.abs(difference))}</strong>`}</p>
    ${side.corrected_query && html`<p class="fine">read as <q>${side.corrected_query}</q></p>`}
    <ol class="found">${side.results.map((product, at) => html`<li key=${product.id}>
      <a class="plain" href=${`/admin/products/${product.id}`}>${product.name}</a>
      <span class="fine"><span>${product.category?.name} · ${money(product.effective_price)}</span>${other && html`<${Move} at=${at} before=${other.results.findIndex(({ id }) => id === product.id)} isWhole=${other.count <= SHOWN} />`}</span>
    </li>`)}</ol>
    ${side.results.length === 0 && html`<p class="muted">Nothing.</p>`}
  </section>`;
}

/** Where a product stood before. */
function Move({ at, before, isWhole }) {
  if (before === at) return null;
  if (before === -1) return html`<span class="badge good">${isWhole ? "new" : "new here"}</span>`;
  const isUp = before > at;
  const steps = Math.abs(before - at);
  return html`<span class=${`badge ${isUp ? "accent" : ""}`}><span aria-hidden="true">${isUp ? "↑" : "↓"}${steps}</span><span class="hidden">${isUp ? "up" : "down"} by ${steps}</span></span>`;
}
