/**
 * A value that several parts of a page look at.
 */

import { useEffect, useState } from "./html.js";

/**
 * @template T
 * @param {T} initial
 * @returns {{get: () => T, set: (next: T) => void, subscribe: (told: (value: T) => void) => () => void}}
 */
export function store(initial) {
  let value = initial;
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const told of [...listeners]) told(value);
    },
    subscribe(told) {
      listeners.add(told);
      return () => listeners.delete(told);
    },
  };
}

/**
 * The value now; the component is drawn again when it changes.
 * @template T
 * @param {{get: () => T, subscribe: (told: (value: T) => void) => () => void}} from
 * @returns {T}
 */
export function useStore(from) {
  const [value, setValue] = useState(() => from.get());
  useEffect(() => {
    // It may have changed between drawing and now.
    setValue(() => from.get());
    return from.subscribe((next) => setValue(() => next));
  }, [from]);
  return value;
}
