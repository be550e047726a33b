/**
 * Light or dark: the system's choice until a person makes another one.
 */

import { html, useEffect, useState } from "./html.js";
import { Icon } from "./icons.js";

const KEY = "duka.theme";

/** @returns {"light" | "dark"} what is shown now */
function shown() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** A button that turns the other theme on. */
export function ThemeToggle() {
  const [theme, setTheme] = useState(shown());
  useEffect(() => {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => setTheme(shown());
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, []);
  const other = theme === "dark" ? "light" : "dark";
  const turn = () => {
    document.documentElement.dataset.theme = other;
    try {
      localStorage.setItem(KEY, other);
    } catch {
      // It holds for this page alone then.
    }
    setTheme(other);
  };
  return html`<button type="button" class="icon-button" onClick=${turn} aria-label=${`Use the ${other} theme`}>
    <${Icon} name=${theme === "dark" ? "sun" : "moon"} />
  </button>`;
}
