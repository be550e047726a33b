/**
 * The console: who may enter, and which page an address shows.
 */

import { html, render, useEffect } from "../shared/html.js";
import { lookNow, recognise, server, signIn, signOut } from "../shared/api.js";
import { Problem } from "../shared/problem.js";
import { match, startRouter, useAddress, useTitle } from "../shared/router.js";
import { user } from "../shared/session.js";
import { useStore } from "../shared/store.js";
import { ThemeToggle } from "../shared/theme.js";
import { Announcer, Field, Form, Guard, Outage, Submit, Toasts, Trouble } from "../shared/ui.js";
import { Audit } from "./audit.js";
import { Categories } from "./categories.js";
import { Discounts } from "./discounts.js";
import { Frame } from "./frame.js";
import { Imports } from "./imports.js";
import { stopSampling } from "./metrics.js";
import { Order } from "./order.js";
import { Orders } from "./orders.js";
import { Overview } from "./overview.js";
import { Questions, Sheet } from "./parts.js";
import { NewProduct, Product } from "./product.js";
import { Products } from "./products.js";
import { Settings } from "./settings.js";
import { User } from "./user.js";
import { Users } from "./users.js";

/** Pages that vendors have too, with what is theirs; then those of administrators alone. */
const SHARED = [
  ["/admin/products", (_, who) => html`<${Products} who=${who} />`],
  ["/admin/products/new", () => html`<${NewProduct} />`],
  ["/admin/products/:id", ({ id }) => html`<${Product} key=${id} id=${id} />`],
  ["/admin/orders", (_, who) => html`<${Orders} who=${who} />`],
  ["/admin/orders/:id", ({ id }, who) => html`<${Order} key=${id} id=${id} who=${who} />`],
];
const RESERVED = [
  ["/admin", () => html`<${Overview} />`],
  ["/admin/categories", () => html`<${Categories} />`],
  ["/admin/discounts", () => html`<${Discounts} />`],
  ["/admin/import", () => html`<${Imports} />`],
  ["/admin/search", () => html`<${Settings} />`],
  ["/admin/users", () => html`<${Users} />`],
  ["/admin/users/:id", ({ id }, who) => html`<${User} key=${id} id=${id} who=${who} />`],
  ["/admin/audit", () => html`<${Audit} />`],
];

/** Where somebody signs in; a role that is too low is told so after it. */
function SignIn() {
  useTitle("Sign in", "duka console");
  return html`<main class="door" tabindex="-1">
    <div class="panel door-box">
      <h1><span class="brand-mark" aria-hidden="true"></span>duka console</h1>
      <p class="fine">For administrators, and for vendors of what is theirs.</p>
      <${Form} onSend=${({ username, password }) => signIn(username, password)} shown=${["username", "password"]}>
        ${({ problem, isBusy }) => html`
          <${Field} label="Username or email" name="username" autocomplete="username" required fault=${problem?.of("username")} />
          <${Field} label="Password" name="password" type="password" autocomplete="current-password" required fault=${problem?.of("password")} />
          <${Submit} isBusy=${isBusy} class="primary wide">Sign in<//>
        `}
      <//>
    </div>
    <p class="fine door-foot"><a href="/">To the shop</a><${ThemeToggle} /></p>
  </main>`;
}

/** Somebody who has no business here. */
function NotForYou({ who }) {
  useTitle("Not for this account", "duka console");
  return html`<main class="door" tabindex="-1">
    <div class="panel door-box">
      <h1>Not for this account</h1>
      <p class="muted">You are signed in as <strong>${who.username}</strong>, a ${who.role}. The console is for administrators, and for vendors of what is theirs.</p>
      <p class="actions">
        <button type="button" class="button primary" onClick=${signOut}>Use another account</button>
        <a class="button" href="/">To the shop</a>
      </p>
    </div>
  </main>`;
}

/** A page that is not there, or not for vendors. */
function Nothing({ title, text, href, label }) {
  return html`<${Sheet} title=${title}><div class="panel blank"><p class="muted">${text}</p><p><a class="button" href=${href}>${label}</a></p></div><//>`;
}

function Page({ who, path }) {
  const find = (pages) => {
    for (const [pattern, page] of pages) {
      const found = match(path, pattern);
      if (found) return page(found, who);
    }
    return null;
  };
  const page = find(SHARED);
  if (page) return page;
  const home = who.role === "admin" ? "/admin/" : "/admin/products";
  const reserved = find(RESERVED);
  if (!reserved) return html`<${Nothing} title="Nothing here" text="This page of the console does not exist." href=${home} label="To the beginning" />`;
  if (who.role === "admin") return reserved;
  return html`<${Nothing} title="Administrators only" text="Your account is a vendor's: it has its products and the orders for them." href=${home} label="To your products" />`;
}

function Console() {
  const who = useStore(user);
  const { pathname } = useAddress();
  useEffect(() => void recognise(), []);
  const state = useStore(server);
  useEffect(() => {
    if (who === null) stopSampling();
  }, [who]);
  // Who it is shows as soon as the server is there again.
  if (who === undefined) return state === "down" && html`<main class="door" tabindex="-1"><${Trouble} problem=${new Problem(0)} onRetry=${lookNow} /></main>`;
  if (who === null) return html`<${SignIn} />`;
  if (who.role === "customer") return html`<${NotForYou} who=${who} />`;
  return html`<${Frame} who=${who}><${Guard} key=${pathname}><${Page} who=${who} path=${pathname} /><//><//><${Questions} />`;
}

startRouter((path) => path === "/admin" || path.startsWith("/admin/"));
render(html`<${Console} /><${Outage} /><${Toasts} /><${Announcer} />`, document.getElementById("page"));
