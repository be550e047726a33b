/**
 * A search as the address says it. The address has the API's own parameters, so that whoever is sent it sees the same.
 */

/** Parameters that stand once. */
const SINGLE = ["q", "price_min", "price_max", "in_stock", "on_sale", "rating_min", "vendor_id", "sort", "page"];
/** Parameters that may stand several times. */
const MANY = ["category", "brand"];
/** Cards on a page: it fills two, three, four and six columns. */
export const PAGE_SIZE = 24;
/** The API answers at most ten facets at once. */
const MOST_FACETS = 10;

/** The sorts, by what the API calls them; the first one when there is a text is relevance. */
export const SORTS = [
  ["relevance", "Best match"],
  ["-popularity", "Most popular"],
  ["-date_added", "Newest"],
  ["price", "Price: low to high"],
  ["-price", "Price: high to low"],
  ["-rating", "Best rated"],
  ["name", "Name"],
];

/**
 * The part of an address that is a search; what is unknown or empty is left out.
 * @param {URLSearchParams} given
 */
export function read(given) {
  const search = new URLSearchParams();
  for (const [name, value] of given) {
    const isKnown = SINGLE.includes(name) || MANY.includes(name) || name.startsWith("attr.");
    if (isKnown && value !== "" && !(SINGLE.includes(name) && search.has(name))) search.append(name, value);
  }
  return search;
}

/**
 * The search with another value; leads to its first page.
 * @param {URLSearchParams} search
 * @param {Record<string, string | null>} changes null takes away
 */
export function changed(search, changes) {
  const next = new URLSearchParams(search);
  next.delete("page");
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/**
 * The search with one value of several more, or less.
 * @param {URLSearchParams} search
 * @param {string} name
 * @param {string} value
 */
export function toggled(search, name, value) {
  const next = new URLSearchParams(search);
  next.delete("page");
  if (next.has(name, value)) next.delete(name, value);
  else next.append(name, value);
  return next;
}

/**
 * Its address in the shop.
 * @param {URLSearchParams} search
 */
export const href = (search) => {
  const text = search.toString();
  return text === "" ? "/search" : `/search?${text}`;
};

/**
 * What the API is asked for it.
 * @param {URLSearchParams} search
 */
export function found(search) {
  const asked = new URLSearchParams(search);
  asked.set("page_size", String(PAGE_SIZE));
  asked.set("facets", "category,brand,price,availability,rating");
  if (search.has("q")) asked.set("highlight", "true");
  return `/api/product/?${asked}`;
}

/**
 * What the API is asked for the attributes of what was found; null when it has none.
 * @param {URLSearchParams} search
 * @param {string[]} names
 */
export function attributes(search, names) {
  if (names.length === 0) return null;
  const asked = new URLSearchParams(search);
  asked.delete("page");
  asked.delete("sort");
  asked.set("page_size", "1");
  asked.set("facets", names.map((name) => `attr.${name}`).join(","));
  return `/api/product/?${asked}`;
}

/**
 * The attributes worth asking for: those that are chosen, and those that many of the products have.
 * @param {URLSearchParams} search
 * @param {{attributes: Record<string, unknown>}[]} products
 */
export function attributeNames(search, products) {
  const chosen = [...search.keys()].filter((name) => name.startsWith("attr.")).map((name) => name.slice(5));
  const times = new Map();
  for (const product of products) {
    for (const [name, value] of Object.entries(product.attributes ?? {})) {
      // Numbers have too many values to choose from.
      if (typeof value !== "number" && !name.includes(",")) times.set(name, (times.get(name) ?? 0) + 1);
    }
  }
  const common = [...times].filter(([, many]) => many * 3 >= products.length);
  common.sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  return [...new Set([...chosen, ...common.slice(0, 5).map(([name]) => name)])].slice(0, MOST_FACETS);
}

/**
 * What narrows the search, one by one.
 * @param {URLSearchParams} search
 * @returns {{name: string, value: string}[]}
 */
export function filters(search) {
  const apart = ["q", "sort", "page"];
  return [...search].filter(([name]) => !apart.includes(name)).map(([name, value]) => ({ name, value }));
}
