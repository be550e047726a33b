/**
 * Signing in and registering: as a dialog before something that needs it, and as a page.
 */

import { html, useState } from "../shared/html.js";
import { api, signIn } from "../shared/api.js";
import { user } from "../shared/session.js";
import { store, useStore } from "../shared/store.js";
import { Dialog, Field, Form, Submit } from "../shared/ui.js";

/** What waits for somebody to sign in: why, and what is done then. */
const waiting = store(null);

/**
 * Does something that needs to be signed in; asks for that first, if need be.
 * @param {string} why
 * @param {() => unknown} then
 */
export function askToSignIn(why, then) {
  const who = user.get();
  if (who) return then();
  if (who === null) return waiting.set({ why, then });
  // It is being found out: the page has only just come.
  const stop = user.subscribe(() => {
    stop();
    askToSignIn(why, then);
  });
  return undefined;
}

/** The dialog; stands once on a page. */
export function SignInDialog() {
  const asked = useStore(waiting);
  if (!asked) return null;
  const done = () => {
    waiting.set(null);
    asked.then();
  };
  return html`<${Dialog} title=${asked.why} onClose=${() => waiting.set(null)}><${SignInOrRegister} onDone=${done} /><//>`;
}

/**
 * Both forms, one at a time.
 * @param {{onDone: () => void}} props
 */
export function SignInOrRegister({ onDone }) {
  const [isNew, setNew] = useState(false);
  return isNew
    ? html`<${Register} onDone=${onDone} /><p class="fine switch">Have an account? <button type="button" class="link-button" onClick=${() => setNew(false)}>Sign in</button></p>`
    : html`<${SignIn} onDone=${onDone} /><p class="fine switch">New here? <button type="button" class="link-button" onClick=${() => setNew(true)}>Create account</button></p>`;
}

function SignIn({ onDone }) {
  const send = async ({ username, password }) => {
    await signIn(username, password);
    onDone();
  };
  return html`<${Form} onSend=${send} shown=${["username", "password"]}>
    ${({ problem, isBusy }) => html`
      <${Field} label="Username or email" name="username" autocomplete="username" required fault=${problem?.of("username")} />
      <${Field} label="Password" name="password" type="password" autocomplete="current-password" required fault=${problem?.of("password")} />
      <${Submit} isBusy=${isBusy} class="primary wide">Sign in<//>
    `}
  <//>`;
}

function Register({ onDone }) {
  const send = async (values) => {
    await api.post("/api/auth/register/", values);
    await signIn(values.username, values.password);
    onDone();
  };
  return html`<${Form} onSend=${send} shown=${["username", "email", "password"]}>
    ${({ problem, isBusy }) => html`
      <${Field} label="Username" name="username" autocomplete="username" required hint="3 to 150 letters, digits and @.+-_" fault=${problem?.of("username")} />
      <${Field} label="Email" name="email" type="email" autocomplete="email" required fault=${problem?.of("email")} />
      <${Field} label="Password" name="password" type="password" autocomplete="new-password" required hint="At least 8 characters" fault=${problem?.of("password")} />
      <${Submit} isBusy=${isBusy} class="primary wide">Create account<//>
    `}
  <//>`;
}
