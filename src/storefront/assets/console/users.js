/**
 * Who has an account, and what each may do.
 */

import { html } from "../shared/html.js";
import { word } from "../shared/format.js";
import { Listing, ROWS } from "./listing.js";
import { Badge, Sheet, When } from "./parts.js";
import { Choice, Typed, asked, usePlace } from "./place.js";

const ROLES = ["customer", "vendor", "admin"].map((role) => [role, word(role)]);

const COLUMNS = [
  { head: "User", cell: (user) => html`<a class="plain strong" href=${`/admin/users/${user.id}`}>${user.username}</a><span class="under">${user.email}</span>` },
  { head: "Name", cell: (user) => [user.first_name, user.last_name].filter(Boolean).join(" ") || html`<span class="muted">–</span>`, class: "roomier" },
  { head: "Role", cell: (user) => html`<${Badge} code=${user.role} />` },
  { head: "State", cell: (user) => html`<${Badge} code=${user.is_active ? "active" : "off"} />`, class: "roomy" },
  { head: "Since", cell: (user) => html`<${When} at=${user.date_joined} />`, class: "roomier" },
];

/** The page. */
export function Users() {
  const place = usePlace();
  const { params } = place;
  const path = asked("/api/users/", { role: params.get("role"), search: params.get("search"), page: params.get("page"), page_size: ROWS });
  return html`<${Sheet} title="Users" lead="Customers buy, vendors sell what is theirs, administrators do everything.">
    <div class="filters" role="search" aria-label="Find users">
      <${Typed} place=${place} name="search" label="Search name or email" />
      <${Choice} place=${place} name="role" label="Role" any="Any role" options=${ROLES} />
    </div>
    <${Listing} label="Users" noun="user" path=${path} columns=${COLUMNS} place=${place} />
  <//>`;
}
