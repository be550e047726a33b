/**
 * The products that something is linked to: found by name, and taken away again.
 */

import { html, useEffect, useId, useState } from "../shared/html.js";
import { api, useAnswer } from "../shared/api.js";
import { money, plural } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";

/** Names that are asked for: of thousands of links nobody reads each. */
const NAMED = 12;
/** What is known of products, by id. */
const names = new Map();

/** @param {{ids: number[], onChange: (ids: number[]) => void, isNeeded: boolean}} props */
export function Linked({ ids, onChange, isNeeded }) {
  const id = useId();
  const [text, setText] = useState("");
  const [query, setQuery] = useState("");
  const [, setKnown] = useState(0);
  const shown = ids.slice(0, NAMED);
  useEffect(() => {
    const timer = setTimeout(() => setQuery(text.trim()), 160);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => {
    for (const one of shown.filter((one) => !names.has(one))) {
      names.set(one, `Product ${one}`);
      api.get(`/api/product/${one}/`).then(
        (product) => {
          names.set(one, product.name);
          setKnown((old) => old + 1);
        },
        (problem) => {
          if (!(problem instanceof Problem)) throw problem;
          names.delete(one);
        },
      );
    }
  }, [shown.join()]);
  const { data } = useAnswer(query === "" ? null : `/api/product/suggest/?${new URLSearchParams({ q: query })}`);
  const found = query === "" ? [] : (data?.products ?? []).filter((product) => !ids.includes(product.id)).slice(0, 6);
  const add = (product) => {
    names.set(product.id, product.name);
    onChange([...ids, product.id]);
    setText("");
    setQuery("");
  };
  return html`<div class="field linked">
    <label for=${id}>Products</label>
    <p class="hint">${ids.length > 0 ? `${plural(ids.length, "product")} linked.` : isNeeded ? "None yet: it lowers no price until there are some." : "None: the code is good for the whole cart."}</p>
    ${shown.length > 0 && html`<ul class="chips">${shown.map((one) => html`<li key=${one} class="chip">${names.get(one) ?? `Product ${one}`}<button type="button" aria-label=${`Take ${names.get(one) ?? one} away`} onClick=${() => onChange(ids.filter((other) => other !== one))}><${Icon} name="close" class="small" /></button></li>`)}${ids.length > NAMED && html`<li class="chip">and ${ids.length - NAMED} more</li>`}</ul>`}
    <input id=${id} class="input" type="search" autocomplete="off" placeholder="Add a product by its name or SKU" value=${text} onInput=${(event) => setText(event.target.value)} onKeyDown=${(event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (found[0]) add(found[0]);
    }} />
    ${found.length > 0 && html`<ul class="offers" aria-label="Products to add">${found.map((product) => html`<li key=${product.id}><button type="button" onClick=${() => add(product)}><${Icon} name="plus" class="small" /><span>${product.name}</span><span class="fine number">${money(product.effective_price)}</span></button></li>`)}</ul>`}
  </div>`;
}
