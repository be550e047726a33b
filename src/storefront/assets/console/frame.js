/**
 * What stands around every page: where one can go, and who one is.
 */

import { html, useEffect, useState } from "../shared/html.js";
import { signOut } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { useAddress } from "../shared/router.js";
import { ThemeToggle } from "../shared/theme.js";
import { Dialog } from "../shared/ui.js";

/** The pages that can be gone to, in groups; `vendor`: vendors may, too. */
const PLACES = [
  [null, [{ href: "/admin/", name: "Overview", icon: "chart" }]],
  ["Catalog", [
    { href: "/admin/products", name: "Products", icon: "box", vendor: true },
    { href: "/admin/categories", name: "Categories", icon: "filter" },
    { href: "/admin/discounts", name: "Discounts", icon: "tag" },
    { href: "/admin/import", name: "Import and export", icon: "upload" },
  ]],
  ["Sales", [{ href: "/admin/orders", name: "Orders", icon: "cart", vendor: true }]],
  ["Shop", [
    { href: "/admin/search", name: "Search", icon: "search" },
    { href: "/admin/users", name: "Users", icon: "users" },
    { href: "/admin/audit", name: "Audit", icon: "list" },
  ]],
];

/** Other doors of the same server. */
const DOORS = [["/", "Storefront"], ["/swagger/", "REST API"], ["/graphql/", "GraphQL"]];

/** @param {{who: object, children?: any}} props */
export function Frame({ who, children }) {
  const { pathname } = useAddress();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [pathname]);
  return html`<a class="skip" href="#main">To the content</a>
    <div class="frame">
      <header class="side">
        <div class="side-head">
          <button type="button" class="icon-button menu" aria-label="Menu" aria-expanded=${isOpen ? "true" : "false"} onClick=${() => setOpen(true)}><${Icon} name="menu" /></button>
          <a class="brand" href=${who.role === "admin" ? "/admin/" : "/admin/products"}><span class="brand-mark" aria-hidden="true"></span>duka <span>console</span></a>
        </div>
        <div class="side-places"><${Places} who=${who} pathname=${pathname} /></div>
        <div class="side-foot">
          <span class="who"><span class="initial" aria-hidden="true">${who.username.charAt(0).toUpperCase()}</span><span class="who-text"><strong>${who.username}</strong><span class="fine">${who.role}</span></span></span>
          <${ThemeToggle} />
          <button type="button" class="icon-button" aria-label="Sign out" onClick=${signOut}><${Icon} name="out" /></button>
        </div>
      </header>
      <main id="main" tabindex="-1">${children}</main>
    </div>
    ${isOpen && html`<${Dialog} title="duka console" kind="drawer start" onClose=${() => setOpen(false)}><${Places} who=${who} pathname=${pathname} /><//>`}`;
}

function Places({ who, pathname }) {
  const isAdmin = who.role === "admin";
  const isHere = (href) => (href === "/admin/" ? /^\/admin\/?$/.test(pathname) : pathname === href || pathname.startsWith(`${href}/`));
  return html`<nav aria-label="Console" class="places">
    ${PLACES.map(([group, places]) => {
      const shown = places.filter(({ vendor }) => isAdmin || vendor);
      return shown.length > 0 && html`<div key=${group} class="places-group">
        ${group && html`<p class="places-head" id=${`places-${group}`}>${group}</p>`}
        <ul aria-labelledby=${group ? `places-${group}` : undefined}>${shown.map(({ href, name, icon }) => html`<li key=${href}><a href=${href} aria-current=${isHere(href) ? "page" : undefined}><${Icon} name=${icon} />${name}</a></li>`)}</ul>
      </div>`;
    })}
    <ul class="doors">${DOORS.map(([href, name]) => html`<li key=${href}><a href=${href}>${name}</a></li>`)}</ul>
  </nav>`;
}
