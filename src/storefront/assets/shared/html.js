/**
 * The library as both pages use it: markup in template strings, and hooks.
 */

import htm from "htm";
import { h } from "preact";

export { Fragment, createContext, render } from "preact";
export {
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "preact/hooks";

/** Markup: html`<p class="fine">${text}</p>`. What is put in is text, never markup. */
export const html = htm.bind(h);
