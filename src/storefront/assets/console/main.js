/**
 * The console: begins, and shows who may not enter where to sign in.
 */

import { html, render, useEffect } from "../shared/html.js";
import { recognise, signIn, signOut } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { startRouter, useTitle } from "../shared/router.js";
import { user } from "../shared/session.js";
import { useStore } from "../shared/store.js";
import { ThemeToggle } from "../shared/theme.js";
import { Announcer, Field, Form, Outage, Submit, Toasts } from "../shared/ui.js";

/** The door: for administrators alone. */
function SignIn() {
  useTitle("Sign in", "duka console");
  return html`<main class="door" tabindex="-1">
    <h1>duka console</h1>
    <${Form} onSend=${({ username, password }) => signIn(username, password)} shown=${["username", "password"]}>
      ${({ problem, isBusy }) => html`
        <${Field} label="Username or email" name="username" autocomplete="username" required fault=${problem?.of("username")} />
        <${Field} label="Password" name="password" type="password" autocomplete="current-password" required fault=${problem?.of("password")} />
        <${Submit} isBusy=${isBusy}>Sign in<//>
      `}
    <//>
  </main>`;
}

/** Somebody whose role is too low. */
function NotForYou({ who }) {
  return html`<main class="door" tabindex="-1">
    <h1>Administrators only</h1>
    <p class="muted">You are signed in as ${who.username} (${who.role}).</p>
    <p class="actions">
      <button type="button" class="button primary" onClick=${signOut}>Use another account</button>
      <a class="button" href="/">To the shop</a>
    </p>
  </main>`;
}

/** The frame of all pages. */
function Console({ who }) {
  useTitle("Overview", "duka console");
  return html`<a class="skip" href="#main">To the content</a>
    <header class="bar">
      <a class="brand" href="/admin/">duka <span>console</span></a>
      <span class="fine">${who.username}</span>
      <${ThemeToggle} />
      <button type="button" class="icon-button" aria-label="Sign out" onClick=${signOut}><${Icon} name="out" /></button>
    </header>
    <main id="main" tabindex="-1"></main>`;
}

function Page() {
  const who = useStore(user);
  useEffect(() => void recognise(), []);
  const page = who === undefined ? null : who === null ? html`<${SignIn} />` : who.role === "admin" ? html`<${Console} who=${who} />` : html`<${NotForYou} who=${who} />`;
  return html`${page}<${Outage} /><${Toasts} /><${Announcer} />`;
}

startRouter((path) => path.startsWith("/admin"));
render(html`<${Page} />`, document.getElementById("page"));
