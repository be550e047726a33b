/**
 * The field that everything is found through: it suggests while one types, and on the page of results it searches.
 * The pattern is the combobox of the ARIA practices: the focus stays in the field, the arrows choose.
 */

import { html, useEffect, useId, useRef, useState } from "../shared/html.js";
import { api } from "../shared/api.js";
import { count, money } from "../shared/format.js";
import { Icon } from "../shared/icons.js";
import { Problem } from "../shared/problem.js";
import { navigate, useAddress } from "../shared/router.js";
import { Picture } from "./art.js";
import { productHref } from "./card.js";
import { changed, href, read } from "./query.js";

/** What comes sooner after what came before it, milliseconds, waits as long for what may come next: it asks once. */
const PAUSE = 30;
/** How many of each kind are shown. */
const SHOWN = { queries: 5, categories: 3, brands: 3, products: 5 };

export function SearchBox() {
  const address = useAddress();
  const isResults = address.pathname.startsWith("/search");
  const asked = isResults ? (address.searchParams.get("q") ?? "") : "";
  const [text, setText] = useState(asked);
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const field = useRef(null);
  const typed = useRef(false);
  const before = useRef(0);
  const id = useId();
  // On the page of results products are in sight anyway.
  const groups = useSuggestions(isOpen ? text.trim() : "").filter((group) => !isResults || group.name !== "Products");
  const options = groups.flatMap((group) => group.options);

  // Where one goes by a link or by going back, the field says what is shown there.
  useEffect(() => {
    typed.current = false;
    if (document.activeElement !== field.current || !isOpen) setText(asked);
  }, [asked, address.pathname]);

  // On the page of results the search follows the typing; the history keeps one entry for it.
  useEffect(() => {
    if (!isResults || !typed.current) return undefined;
    const timer = setTimeout(() => {
      const search = read(address.searchParams);
      const next = changed(search, { q: text.trim(), sort: null });
      if ((search.get("q") ?? "") !== text.trim()) navigate(href(next), { replace: true });
    }, pauseAfter(before));
    return () => clearTimeout(timer);
  }, [text]);

  useEffect(() => setActive(-1), [text]);
  useEffect(() => {
    const slash = (event) => {
      const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      field.current.focus();
      field.current.select();
    };
    addEventListener("keydown", slash);
    return () => removeEventListener("keydown", slash);
  }, []);

  const close = () => {
    setOpen(false);
    setActive(-1);
  };
  const search = (words) => {
    typed.current = false;
    setText(words);
    close();
    navigate(href(changed(new URLSearchParams(), { q: words.trim() })), { stay: isResults });
  };
  const choose = (option) => {
    if (option.query !== undefined) return search(option.query);
    close();
    navigate(option.href);
    return undefined;
  };
  const submit = (event) => {
    event.preventDefault();
    if (isOpen && options[active]) choose(options[active]);
    else search(text);
  };
  const key = (event) => {
    if (event.key === "Escape") {
      if (isOpen) event.preventDefault();
      return close();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return undefined;
    event.preventDefault();
    if (!isOpen) return setOpen(true);
    if (options.length === 0) return undefined;
    // One place more than options: none is chosen there, and what was typed counts.
    const step = event.key === "ArrowDown" ? 1 : -1;
    return setActive(((active + 1 + step + options.length + 1) % (options.length + 1)) - 1);
  };
  const isShown = isOpen && options.length > 0;
  const optionId = (at) => `${id}-option-${at}`;

  return html`<form class="search" role="search" onSubmit=${submit} onFocusOut=${(event) => !event.currentTarget.contains(event.relatedTarget) && close()}>
    <label class="hidden" for=${id}>Search the shop</label>
    <${Icon} name="search" />
    <input id=${id} ref=${field} type="search" name="q" class="search-field" value=${text} maxlength="256"
      placeholder="Search products, brands and categories" autocomplete="off" autocapitalize="off" spellcheck=${false} enterkeyhint="search"
      role="combobox" aria-expanded=${String(isShown)} aria-controls=${`${id}-list`} aria-autocomplete="list"
      aria-activedescendant=${isShown && active >= 0 ? optionId(active) : undefined}
      onInput=${(event) => {
        typed.current = true;
        setText(event.target.value);
        setOpen(true);
      }}
      onKeyDown=${key} onClick=${() => setOpen(true)} />
    ${text !== "" &&
    html`<button type="button" class="icon-button search-clear" aria-label="Clear the search"
      onClick=${() => {
        typed.current = true;
        setText("");
        field.current.focus();
      }}><${Icon} name="close" class="small" /></button>`}
    <div class="suggestions" id=${`${id}-list`} role="listbox" aria-label="Suggestions" hidden=${!isShown}>
      ${groups.map(
        (group) => html`<div role="group" aria-labelledby=${`${id}-${group.name}`} key=${group.name}>
          <p class="suggestions-head" id=${`${id}-${group.name}`}>${group.name}</p>
          ${group.options.map((option) => {
            const at = options.indexOf(option);
            return html`<div role="option" id=${optionId(at)} key=${option.key} class="suggestion" aria-selected=${String(at === active)}
              onMouseDown=${(event) => event.preventDefault()} onMouseMove=${() => setActive(at)} onClick=${() => choose(option)}>
              ${option.body}
            </div>`;
          })}
        </div>`,
      )}
    </div>
  </form>`;
}

/** How long to wait for more, by when the last change came. */
function pauseAfter(before) {
  const since = performance.now() - before.current;
  before.current = performance.now();
  return since < PAUSE ? PAUSE : 0;
}

/**
 * What may be meant, as groups of options; those of before stay until new ones are there.
 * @param {string} text
 */
function useSuggestions(text) {
  const [groups, setGroups] = useState([]);
  useEffect(() => {
    if (text === "") return setGroups([]);
    const stop = new AbortController();
    const ask = async () => {
      try {
        const found = await api.get(`/api/product/suggest/?${new URLSearchParams({ q: text })}`, { signal: stop.signal });
        if (!stop.signal.aborted) setGroups(grouped(found));
      } catch (problem) {
        // Nothing is suggested then; whoever presses Enter learns what is wrong.
        if (!(problem instanceof Problem) && problem.name !== "AbortError") throw problem;
      }
    };
    const timer = setTimeout(ask, PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);
  return groups;
}

function grouped({ queries, categories, brands, products }) {
  const narrowed = (name, value) => href(new URLSearchParams([[name, value]]));
  const groups = [
    {
      name: "Searches",
      options: queries.slice(0, SHOWN.queries).map((query) => ({
        key: query,
        query,
        body: html`<${Icon} name="search" class="small" /><span>${query}</span>`,
      })),
    },
    {
      name: "Categories",
      options: categories.slice(0, SHOWN.categories).map((category) => ({
        key: category.id,
        href: narrowed("category", category.slug),
        body: html`<${Icon} name="list" class="small" /><span>${category.path.join(" › ")}</span><span class="fine number">${count(category.count)}</span>`,
      })),
    },
    {
      name: "Brands",
      options: brands.slice(0, SHOWN.brands).map((brand) => ({
        key: brand.value,
        href: narrowed("brand", brand.value),
        body: html`<${Icon} name="tag" class="small" /><span>${brand.value}</span><span class="fine number">${count(brand.count)}</span>`,
      })),
    },
    {
      name: "Products",
      options: products.slice(0, SHOWN.products).map((product) => ({
        key: product.id,
        href: productHref(product),
        body: html`<span class="suggestion-picture"><${Picture} product=${product} /></span><span>${product.name}</span><span class="number">${money(product.effective_price)}</span>`,
      })),
    },
  ];
  return groups.filter((group) => group.options.length > 0);
}
