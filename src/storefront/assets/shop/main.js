/**
 * The storefront: which page an address shows, and what stands around every one.
 */

import { html, render, useEffect } from "../shared/html.js";
import { recognise, useAnswer } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { match, startRouter, useAddress, useTitle } from "../shared/router.js";
import { user } from "../shared/session.js";
import { useStore } from "../shared/store.js";
import { ThemeToggle } from "../shared/theme.js";
import { Announcer, Guard, Outage, Skeleton, Toasts } from "../shared/ui.js";
import { Account } from "./account.js";
import { CartButton, CartDrawer } from "./cart.js";
import { Checkout } from "./checkout.js";
import { DEPARTMENTS, Home, roots } from "./home.js";
import { Order, Orders } from "./orders.js";
import { SignInDialog, SignInOrRegister } from "./people.js";
import { Product } from "./product.js";
import { href } from "./query.js";
import { Results } from "./results.js";
import { SearchBox } from "./searchbox.js";
import { Wishlist } from "./wishlist.js";

/** Pages that everybody may see, then those that are somebody's own. */
const OPEN = [
  ["/", () => html`<${Home} />`],
  ["/search", () => html`<${Results} />`],
  ["/product/:id", ({ id }) => html`<${Product} key=${id} id=${id} />`],
  ["/product/:id/:slug", ({ id }) => html`<${Product} key=${id} id=${id} />`],
];
const OWN = [
  ["/account", (_, who) => html`<${Account} who=${who} />`],
  ["/checkout", () => html`<${Checkout} />`],
  ["/orders", () => html`<${Orders} />`],
  ["/orders/:id", ({ id }) => html`<${Order} key=${id} id=${id} />`],
  ["/wishlist", () => html`<${Wishlist} />`],
];

/** Other pages of the same server, which are not this one's. */
const ELSEWHERE = ["/admin", "/api", "/swagger", "/graphql", "/metrics", "/assets"];

function Shop() {
  const { pathname } = useAddress();
  useEffect(() => void recognise(), []);
  return html`
    <a class="skip" href="#main">To the content</a>
    <${Head} />
    <main id="main" tabindex="-1"><${Guard} key=${pathname}><${Page} path=${pathname} /><//></main>
    <${Foot} />
    <${CartDrawer} /><${SignInDialog} /><${Outage} /><${Toasts} /><${Announcer} />
  `;
}

function Page({ path }) {
  const who = useStore(user);
  for (const [pattern, page] of OPEN) {
    const found = match(path, pattern);
    if (found) return page(found);
  }
  for (const [pattern, page] of OWN) {
    const found = match(path, pattern);
    if (!found) continue;
    if (who === undefined) return html`<div class="narrow-head"><${Skeleton} w="12rem" h="2rem" /></div>`;
    return who === null ? html`<${Door} />` : page(found, who);
  }
  return html`<${Nowhere} />`;
}

/** Somebody's own page, and nobody is signed in: the page is there as soon as somebody is. */
function Door() {
  useTitle("Sign in");
  return html`<div class="door panel"><h1>Sign in</h1><p class="muted">to see your account, orders and wishlist.</p><${SignInOrRegister} onDone=${() => {}} /></div>`;
}

function Nowhere() {
  useTitle("Not found");
  return html`<div class="empty"><${Icon} name="search" /><h1>There is no such page</h1><p>The address may be old, or mistyped.</p><a class="button primary" href="/">To the shop</a></div>`;
}

function Head() {
  const who = useStore(user);
  return html`<header class="head">
    <div class="head-row">
      <a class="brand" href="/"><${Mark} /><span>duka</span></a>
      <${SearchBox} />
      <nav class="head-tools" aria-label="Yours">
        <${ThemeToggle} />
        <a class="icon-button" href="/wishlist" aria-label="Wishlist"><${Icon} name="heart" /></a>
        <a class="icon-button" href="/account" aria-label=${who ? `Account of ${who.username}` : "Sign in"}><${Icon} name="user" />${who && html`<span class="dot"></span>`}</a>
        <${CartButton} />
      </nav>
    </div>
    <${Departments} />
  </header>`;
}

const Mark = () => html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false"><rect width="32" height="32" rx="9" /><path d="M8 12.500h16l-1.300 10.200a2 2 0 0 1-2 1.800h-9.400a2 2 0 0 1-2-1.800zM12.200 12.500v-1.700a3.800 3.800 0 0 1 7.600 0v1.700" /></svg>`;

function Departments() {
  const { data } = useAnswer(DEPARTMENTS);
  const { pathname, searchParams } = useAddress();
  const chosen = pathname.startsWith("/search") ? searchParams.get("category") : null;
  return html`<nav class="head-departments" aria-label="Departments"><ul class="head-list">
    <li><a href="/search?on_sale=true" class="sale">Sale</a></li>
    ${roots(data).map((one) => html`<li key=${one.id}><a href=${href(new URLSearchParams({ category: one.slug }))} aria-current=${chosen === one.slug ? "page" : undefined}>${one.name}</a></li>`)}
  </ul></nav>`;
}

function Foot() {
  return html`<footer class="foot"><div class="foot-row">
    <p><strong>duka</strong> <span class="muted">A shop that is found through its search.</span></p>
    <ul class="foot-list"><li><a href="/search">All products</a></li><li><a href="/orders">Orders</a></li><li><a href="/swagger/">API</a></li><li><a href="/graphql/">GraphQL</a></li><li><a href="/admin/">Console</a></li></ul>
  </div></footer>`;
}

startRouter((path) => !ELSEWHERE.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)));
render(html`<${Shop} />`, document.getElementById("page"));
