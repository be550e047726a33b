/**
 * The page of all wishes.
 */

import { html, useEffect } from "../shared/html.js";
import { useAnswer } from "../shared/api.js";
import { Icon } from "../shared/icons.js";
import { useSettled, useTitle } from "../shared/router.js";
import { useStore } from "../shared/store.js";
import { Trouble } from "../shared/ui.js";
import { Cards } from "./card.js";
import { wishes } from "./wishes.js";

/** Newest first. */
export function Wishlist() {
  useTitle("Wishlist");
  const known = useStore(wishes);
  const { data, problem, reload } = useAnswer("/api/wishlist/", { fresh: true });
  useSettled(Boolean(data));
  useEffect(reload, [known]);
  return html`<div class="narrow-head"><h1>Wishlist</h1><h2 class="hidden">Products</h2></div>
    ${problem && !data
      ? html`<${Trouble} problem=${problem} onRetry=${reload} />`
      : data && data.items.length === 0
        ? html`<div class="empty">
            <${Icon} name="heart" />
            <h2>Nothing on it yet</h2>
            <p>The heart on a product keeps it here, for later.</p>
            <a class="button primary" href="/search">Browse products</a>
          </div>`
        : html`<${Cards} products=${data?.items.map((item) => item.product)} coming=${4} />`}`;
}
