/**
 * What a search can be narrowed by, with how many would be left: categories, prices, and values to tick.
 */

import { html, useEffect, useId, useRef, useState } from "../shared/html.js";
import { count, money, plural, word } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { navigate } from "../shared/router.js";
import { changed, href, toggled } from "./query.js";

/** How many values of a facet are shown at first. */
const FIRST = 8;
/** From how many on a field finds one of them. */
const SEARCHABLE = 12;

const go = (search) => navigate(href(search), { stay: true });

/**
 * All facets of a search.
 * @param {{search: URLSearchParams, facets: object | undefined, more: object | undefined}} props `more`: those of
 *   attributes
 */
export function Facets({ search, facets, more }) {
  if (!facets) return html`<div class="facets-coming" aria-hidden="true"></div>`;
  return html`
    ${facets.category && html`<${Categories} search=${search} counts=${facets.category} />`}
    ${facets.price && html`<${Prices} search=${search} facet=${facets.price} />`}
    ${facets.brand && html`<${Values} search=${search} name="brand" title="Brand" counts=${facets.brand} />`}
    ${facets.availability && html`<${Availability} search=${search} counts=${facets.availability} />`}
    ${facets.rating && html`<${Ratings} search=${search} counts=${facets.rating} />`}
    ${Object.entries(more ?? {}).map(
      ([name, counts]) => html`<${Values} key=${name} search=${search} name=${name} title=${word(name.slice(5))} counts=${counts} />`,
    )}
  `;
}

/** One facet; it can be folded. */
function Facet({ title, isOpen = true, children }) {
  return html`<details class="facet" open=${isOpen}>
    <summary><h3>${title}</h3><${Icon} name="down" class="small" /></summary>
    <div class="facet-body">${children}</div>
  </details>`;
}

/** The tree, unfolded along what is chosen. */
function Categories({ search, counts }) {
  const chosen = search.getAll("category");
  const isChosen = (category) => chosen.includes(category.slug) || chosen.includes(String(category.id));
  // Roots, what is chosen with all above it, and what is right below that.
  const open = new Set(counts.filter(isChosen).flatMap(({ path }) => path.map((_, at) => path.slice(0, at + 1).join("\0"))));
  const shown = counts.filter(({ path }) => path.length === 1 || open.has(path.slice(0, -1).join("\0")));
  shown.sort((a, b) => order(a, b, counts));
  if (shown.length === 0) return null;
  return html`<${Facet} title="Category">
    <ul class="tree">
      ${shown.map((category) => {
        const isHere = isChosen(category);
        const next = changed(search, { category: isHere ? above(category, counts)?.slug ?? null : category.slug });
        return html`<li key=${category.id} style=${{ "--depth": String(category.path.length - 1) }}>
          <a href=${href(next)} class=${isHere ? "here" : ""} aria-current=${isHere ? "true" : undefined} onClick=${(event) => follow(event, next)}>
            <span>${category.name}</span><span class="number">${count(category.count)}</span>
          </a>
        </li>`;
      })}
    </ul>
  <//>`;
}

/** Follows a link that changes what is shown without leaving the place. */
function follow(event, next) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
  event.preventDefault();
  go(next);
}

const above = (category, counts) => {
  const path = category.path.slice(0, -1).join("\0");
  return counts.find((other) => other.path.join("\0") === path);
};

/** Parents before children, siblings by how many there are. */
function order(a, b, counts) {
  const depth = Math.min(a.path.length, b.path.length);
  for (let at = 0; at < depth; at += 1) {
    if (a.path[at] === b.path[at]) continue;
    const of = (path) => counts.find((one) => one.path.length === at + 1 && one.path.every((name, i) => name === path[i]));
    return (of(b.path)?.count ?? 0) - (of(a.path)?.count ?? 0) || a.path[at].localeCompare(b.path[at]);
  }
  return a.path.length - b.path.length;
}

/** Values to tick; several are or. */
function Values({ search, name, title, counts }) {
  const [isWhole, setWhole] = useState(false);
  const [wanted, setWanted] = useState("");
  const id = useId();
  const words = wanted.trim().toLowerCase();
  const fitting = words ? counts.filter(({ value }) => value.toLowerCase().includes(words)) : counts;
  // What is chosen is always in sight.
  const first = fitting.filter(({ value }, at) => at < FIRST || search.has(name, value));
  const shown = isWhole || words ? fitting : first;
  if (counts.length === 0) return null;
  return html`<${Facet} title=${title} isOpen=${name === "brand" || search.has(name)}>
    ${counts.length >= SEARCHABLE &&
    html`<label class="hidden" for=${id}>${`Find in ${title.toLowerCase()}`}</label>
      <input id=${id} class="input small" type="search" placeholder=${`Find in ${title.toLowerCase()}`} value=${wanted} onInput=${(event) => setWanted(event.target.value)} />`}
    <ul class="ticks">
      ${shown.map(
        ({ value, count: many }) => html`<li key=${value}>
          <label class="check">
            <input type="checkbox" checked=${search.has(name, value)} onChange=${() => go(toggled(search, name, value))} />
            <span class="tick-name">${value === "true" ? "Yes" : value === "false" ? "No" : value}</span><span class="number muted">${count(many)}</span>
          </label>
        </li>`,
      )}
    </ul>
    ${words && shown.length === 0 && html`<p class="fine">None of them.</p>`}
    ${!words && first.length < counts.length &&
    html`<button type="button" class="link-button" aria-expanded=${String(isWhole)} onClick=${() => setWhole(!isWhole)}>
      ${isWhole ? "Show fewer" : `Show all ${count(counts.length)}`}
    </button>`}
  <//>`;
}

function Availability({ search, counts }) {
  const isOn = search.get("in_stock") === "true";
  return html`<${Facet} title="Availability">
    <label class="check">
      <input type="checkbox" checked=${isOn} onChange=${() => go(changed(search, { in_stock: isOn ? null : "true" }))} />
      <span class="tick-name">In stock</span><span class="number muted">${count(counts.in_stock)}</span>
    </label>
    <label class="check">
      <input type="checkbox" checked=${search.get("on_sale") === "true"}
        onChange=${() => go(changed(search, { on_sale: search.get("on_sale") === "true" ? null : "true" }))} />
      <span class="tick-name">On sale</span>
    </label>
  <//>`;
}

function Ratings({ search, counts }) {
  const id = useId();
  const chosen = search.get("rating_min");
  const shown = [...counts].filter(({ from }) => from > 1).sort((a, b) => b.from - a.from);
  const choose = (from) => go(changed(search, { rating_min: from }));
  return html`<${Facet} title="Rating">
    <fieldset class="ticks">
      <legend class="hidden">Least rating</legend>
      <label class="check">
        <input type="radio" name=${id} checked=${chosen === null} onChange=${() => choose(null)} /><span class="tick-name">Any</span>
      </label>
      ${shown.map(
        ({ from, count: many }) => html`<label class="check" key=${from}>
          <input type="radio" name=${id} checked=${chosen === String(from)} onChange=${() => choose(String(from))} />
          <span class="tick-name"><span class="tick-stars" aria-hidden="true">${"★".repeat(from)}</span><span class="hidden">${plural(from, "star")}</span>${from < 5 && " and up"}</span>
          <span class="number muted">${count(many)}</span>
        </label>`,
      )}
    </fieldset>
  <//>`;
}

/** A histogram, a range over it, and both ends to type. */
function Prices({ search, facet }) {
  const [low, high] = [Math.floor(Number(facet.min ?? 0)), Math.ceil(Number(facet.max ?? 0))];
  const asked = [search.get("price_min"), search.get("price_max")];
  const [range, show] = useState(asked);
  // What was moved last: an event may come before what is shown has followed the one before it.
  const latest = useRef(asked);
  const setRange = (next) => {
    latest.current = next;
    show(next);
  };
  useEffect(() => setRange(asked), [asked[0], asked[1]]);
  if (facet.min === null || low === high) return null;
  const bound = (text, otherwise) => (text === null || text === "" || Number.isNaN(Number(text)) ? otherwise : Number(text));
  const [from, to] = [bound(range[0], low), bound(range[1], high)];
  const most = Math.max(1, ...facet.buckets.map((bucket) => bucket.count));
  const send = () => {
    const [min, max] = latest.current;
    const isNumber = (text) => text !== null && text !== "" && !Number.isNaN(Number(text)) && Number(text) >= 0;
    go(changed(search, { price_min: isNumber(min) ? min : null, price_max: isNumber(max) ? max : null }));
  };
  const slide = (end, value) => {
    const next = end === 0 ? [String(Math.min(value, to)), range[1]] : [range[0], String(Math.max(value, from))];
    // An end that is where it was from the start narrows nothing.
    setRange([Number(next[0]) <= low ? null : next[0], next[1] !== null && Number(next[1]) >= high ? null : next[1]]);
  };
  const part = (value) => `${(Math.max(0, Math.min(1, (value - low) / (high - low))) * 100).toFixed(2)}%`;
  return html`<${Facet} title="Price">
    <div class="histogram" aria-hidden="true">
      ${facet.buckets.map((bucket) => {
        const isIn = Number(bucket.to) > from && Number(bucket.from) <= to;
        return html`<span key=${bucket.from} class=${isIn ? "in" : ""} title=${`${money(bucket.from)} – ${money(bucket.to)}: ${count(bucket.count)}`}
          style=${{ blockSize: `${Math.max(3, Math.sqrt(bucket.count / most) * 100)}%` }}></span>`;
      })}
    </div>
    <div class="range" style=${{ "--from": part(from), "--to": part(to) }}>
      ${["Lowest price", "Highest price"].map(
        (label, end) => html`<input key=${label} type="range" min=${low} max=${high} step="1" value=${end === 0 ? from : to}
          aria-label=${label} aria-valuetext=${money(String(end === 0 ? from : to))}
          onInput=${(event) => slide(end, Number(event.target.value))} onChange=${send} />`,
      )}
    </div>
    <form class="range-ends" onSubmit=${(event) => { event.preventDefault(); send(); }}>
      ${["from", "to"].map(
        (label, end) => html`<label key=${label}><span class="fine">${word(label)}</span>
          <input class="input small number" inputmode="decimal" value=${range[end] ?? ""} placeholder=${String(end === 0 ? low : high)}
            onInput=${(event) => setRange(end === 0 ? [event.target.value, range[1]] : [range[0], event.target.value])}
            onChange=${send} /></label>`,
      )}
      <button type="submit" class="hidden">Use this range</button>
    </form>
  <//>`;
}
