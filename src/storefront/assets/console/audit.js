/**
 * Who changed what, newest first: nothing of it is ever changed or removed.
 */

import { html } from "../shared/html.js";
import { word } from "../shared/format.js";
import { Listing, ROWS } from "./listing.js";
import { Sheet, When } from "./parts.js";
import { Choice, Typed, asked, usePlace } from "./place.js";

const ENTITIES = ["product", "variant", "category", "discount", "order", "refund", "shipment", "review", "user", "search_settings", "job", "catalog", "index"].map((name) => [name, word(name)]);

/** Where a thing can be looked at. */
const PLACES = { product: "products", order: "orders", user: "users" };

/** The page. */
export function Audit() {
  const place = usePlace();
  const { params } = place;
  const names = ["actor_id", "action", "entity", "entity_id", "since", "until", "page"];
  const path = asked("/api/admin/audit/", { ...Object.fromEntries(names.map((name) => [name, params.get(name)])), page_size: ROWS });
  const columns = [
    { head: "When", cell: (entry) => html`<${When} at=${entry.at} />` },
    { head: "Who", cell: (entry) => (entry.actor ? html`<a class="plain" href=${place.href({ actor_id: entry.actor.id })} title="Everything by this user">${entry.actor.username}</a>` : html`<span class="muted">command line</span>`), class: "roomy" },
    { head: "What", cell: (entry) => html`<strong>${said(entry.action)}</strong> ${entry.entity_id !== null && html`<${Thing} entry=${entry} />`}<span class="under only-narrow">${entry.actor?.username ?? "command line"}</span>` },
    { head: "Change", cell: (entry) => html`<${Change} entry=${entry} />`, class: "change" },
  ];
  return html`<${Sheet} title="Audit" lead="What vendors and administrators changed.">
    <div class="filters" role="search" aria-label="Filter the audit">
      <${Choice} place=${place} name="entity" label="Kind of thing" any="Anything" options=${ENTITIES} />
      <${Typed} place=${place} name="entity_id" label="Its id" icon="tag" type="text" inputmode="numeric" />
      <${Typed} place=${place} name="action" label="Action, as product.update" icon="edit" />
      <${Typed} place=${place} name="actor_id" label="User's id" icon="user" type="text" inputmode="numeric" />
    </div>
    <${Listing} label="Audit" noun="entry" nouns="entries" path=${path} columns=${columns} place=${place} />
  <//>`;
}

/** `"product.update"` as a person says it. */
const said = (action) => word(action.replace(".", " ").replaceAll("_", " "));

function Thing({ entry }) {
  const where = PLACES[entry.entity];
  return where ? html`<a class="number" href=${`/admin/${where}/${entry.entity_id}`}>#${entry.entity_id}</a>` : html`<span class="number">#${entry.entity_id}</span>`;
}

const LONGEST = 60;
const shown = (value) => {
  const text = value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
};

function Change({ entry }) {
  const { before, after } = entry;
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  if (fields.length === 0) return html`<span class="muted">–</span>`;
  const line = (field) => html`<li key=${field}><span class="fine">${field}</span> ${before && html`<del>${shown(before[field])}</del> `}${after && html`<ins>${shown(after[field])}</ins>`}</li>`;
  const [first, rest] = before && after ? [fields.slice(0, 3), fields.slice(3)] : [[], fields];
  return html`${first.length > 0 && html`<ul class="diff">${first.map(line)}</ul>`}
    ${rest.length > 0 && html`<details><summary>${first.length > 0 ? `${rest.length} more` : `${rest.length} ${rest.length === 1 ? "field" : "fields"}`}</summary><ul class="diff">${rest.map(line)}</ul></details>`}`;
}
