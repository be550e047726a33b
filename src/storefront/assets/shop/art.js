/**
 * A product's picture; where there is none, a drawing of what kind of thing it is, in its department's colour.
 */

import { html, useState } from "../shared/html.js";

/** By what names and categories say, the first that fits: a drawing of strokes in a square of 24. */
const DRAWINGS = [
  [/headphone|earbud|earphone|headset|hearing/, "M4 14v-2a8 8 0 0 1 16 0v2M4 14h2.500v6H5a1 1 0 0 1-1-1zM20 14h-2.500v6H19a1 1 0 0 0 1-1z"],
  [/speaker|soundbar|hi-fi|radio|audio|turntable/, "M7 3h10v18H7zM12 17.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM12 8a1.200 1.200 0 1 0 0-2.400A1.200 1.200 0 0 0 12 8z"],
  [/\btv\b|television|monitor|projector|display|screen/, "M3 5h18v12H3zM9 20.500h6M12 17v3.500"],
  [/camera|lens|photo|tripod/, "M3 8h4l1.500-2.500h7L17 8h4v11H3zM12 16.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7z"],
  [/phone|smartphone|tablet|e-reader/, "M8 2.500h8v19H8zM11 18.500h2"],
  [/watch|wearable|fitness tracker|clock/, "M12 16.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9zM9.500 7.900L10 3h4l.5 4.900M9.500 16.100L10 21h4l.5-4.900M12 10v2l1.200 1"],
  [/laptop|notebook computer|ultrabook/, "M5 5h14v10H5zM2.500 18.500h19L19 15H5z"],
  [/keyboard|mouse|mice/, "M2.500 7.500h19v9h-19zM6 10.500h.01M9 10.500h.01M12 10.500h.01M15 10.500h.01M18 10.500h.01M8 13.500h8"],
  [/printer|scanner|ink|toner/, "M7 8V3.500h10V8M4 8h16v8h-3M7 16H4V8M7 13.500h10v7H7z"],
  [/cable|charger|power|adapter|batter|plug|router|network/, "M9 3v5M15 3v5M6.500 8h11v3.500a5.500 5.500 0 0 1-11 0zM12 17v4"],
  [/computer|desktop|drive|storage|memory|graphics|processor/, "M6 3h12v18H6zM9 7h6M9 10h6M12 17h.01"],
  [/pen\b|pencil|paper|notebook|stationer|office|desk acc/, "M5 3h11l3 3v15H5zM8.500 9h7M8.500 12.500h7M8.500 16h4"],
  [/kettle|coffee|tea|mug|cup|espresso/, "M5 9h11v7a4 4 0 0 1-4 4H9a4 4 0 0 1-4-4zM16 10.500h2a2.500 2.500 0 0 1 0 5h-2M8 3.500c-1 1 1 2 0 3M12 3.500c-1 1 1 2 0 3"],
  [/pan\b|pot\b|cookware|wok|saucepan|casserole|baking|skillet/, "M3 11h13v3.500a4.500 4.500 0 0 1-4.500 4.500h-4A4.500 4.500 0 0 1 3 14.500zM16 12.500h6M6 7.500h7"],
  [/kni(fe|ves)|cutlery|utensil|tableware|plate|bowl|tumbler|wine glass/, "M7 3v7a2 2 0 0 0 4 0V3M9 12v9M9 3v6M17 21v-7h-2.500V6.500C14.500 4.500 16 3 17 3z"],
  [/shower|tap\b|faucet|plumb|sink|toilet/, "M12 3s6 6.500 6 11a6 6 0 0 1-12 0c0-4.500 6-11 6-11zM9.500 14.500a2.500 2.500 0 0 0 2.500 2.500"],
  [/vacuum|clean|laundry|iron|mop/, "M14 3l-4 12M6 15h8l1 6H5zM14 3h3"],
  [/lamp|light|bulb|chandelier|lantern/, "M8 3h8l3 9H5zM12 12v8.500M8.500 20.500h7"],
  [/sofa|couch|armchair/, "M5 11V8a3 3 0 0 1 3-3h8a3 3 0 0 1 3 3v3M3 13a2 2 0 0 1 4 0v2h10v-2a2 2 0 0 1 4 0v5H3zM6 18v2M18 18v2"],
  [/chair|stool|bench/, "M7 3v10h10V3M7 8h10M5.500 13h13M7 13v8M17 13v8"],
  [/bed|mattress|pillow|duvet|bedding|linen|towel/, "M3 18v-5h18v5M3 20.500V18h18v2.500M5 13V7h14v6M8 13v-2.500h8V13"],
  [/table|desk|shelf|shelving|cabinet|wardrobe|bookcase|furniture/, "M3 8h18v2.500H3zM5.500 10.500v10M18.500 10.500v10M5.500 14h13"],
  [/shoe|boot|trainer|sneaker|sandal|slipper/, "M3 7v10.500h18v-2.500c0-2-4.500-2-7-4.500L11.500 8 9 9.500H6.500L5 7zM3 14.500h6"],
  [/dress|skirt/, "M9.500 3v3.500L8 10l-3 11h14l-3-11-1.500-3.500V3M9.500 6.500h5M8 10h8"],
  [/trouser|jean|legging|short|pant/, "M6.500 3h11l1.500 18h-5L12 9.500 10 21H5z"],
  [/bag|backpack|luggage|suitcase|wallet|handbag/, "M5 9h14v12H5zM9 9V6.500a3 3 0 0 1 6 0V9M9 13h6"],
  [/hat|cap\b|beanie|scarf|glove|sock|belt/, "M4 16.500a8 8 0 0 1 16 0M2.500 16.500h19v2.500h-19zM12 8.500V6"],
  [/shirt|top|jumper|sweater|hoodie|jacket|coat|blouse|cardigan|clothing|wear|apparel/, "M8.500 3L3 6.500l2 4.500 2-1v11h10V10l2 1 2-4.500L15.500 3a3.500 3.500 0 0 1-7 0z"],
  [/lipstick|makeup|make-up|mascara|nail|cosmetic/, "M9 21v-8h6v8zM10 13V8l4-3v8M8 21h8"],
  [/vitamin|supplement|first aid|health|medic/, "M9 3.500h6V9h5.500v6H15v5.500H9V15H3.500V9H9z"],
  [/shampoo|soap|lotion|cream|perfume|fragrance|skin|hair|beauty|oil|sun ?screen|bath/, "M9 9h6l2 4v8H7v-8zM10.500 9V6h3v3M9.500 3.500h5M12 3.500V6M9.500 15.500h5"],
  [/bike|bicycle|cycl/, "M6 19.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM18 19.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM6 16l3.500-7.500h6L18 16M9.500 8.500L12.500 16l3-7.500M8 6h3M15 5.500h2.500"],
  [/tent|camp|hik|outdoor|sleeping/, "M12 4L2.500 20h19zM12 11l-4 9M12 11l4 9M12 4V2.500"],
  [/dumbbell|weight|gym|yoga|fitness|exercise/, "M3 9.500v5M6 7v10M18 7v10M21 9.500v5M6 12h12"],
  [/ball|football|tennis|sport|racket|golf/, "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM5.500 6c3 3 3 9 0 12M18.500 6c-3 3-3 9 0 12"],
  [/grocery/, "M12 7c-2-2-7-1.500-7 4 0 5 3.500 9.500 7 9.500s7-4.500 7-9.500c0-5.500-5-6-7-4zM12 7c0-2 1-3.500 3-4"],
  [/pet|dog|cat\b|cat food|bird|aquarium/, "M12 20c-3.500 0-5.500-1.500-5.500-3.500S9 12 12 12s5.500 2.500 5.500 4.500S15.500 20 12 20zM5 11.500h.01M9 7h.01M15 7h.01M19 11.500h.01"],
  [/baby|pram|stroller|nursery|nappy/, "M4 11h9V4a8 8 0 0 1 7.500 8.500A6 6 0 0 1 14.500 17h-4A6.500 6.500 0 0 1 4 11zM8 20.500h.01M16.500 20.500h.01"],
  [/puzzle|block|brick|toy|game|doll|figure|plush|craft/, "M4 12h7v8H4zM13 12h7v8h-7zM8.500 4h7v8h-7z"],
  [/book|magazine/, "M5 4h6a2 2 0 0 1 2 2v14a2 2 0 0 0-2-2H5zM21 4h-6a2 2 0 0 0-2 2v14a2 2 0 0 1 2-2h6z"],
  [/wine|beer|juice|drink|water|bottle|beverage/, "M10 3h4v5l2 3v10H8V11l2-3zM8 14h8"],
  [/chocolate|snack|biscuit|sweet|cereal|bread|pasta|rice|spice|sauce|grocery|food|cheese|nut/, "M12 7c-2-2-7-1.500-7 4 0 5 3.500 9.500 7 9.500s7-4.500 7-9.500c0-5.500-5-6-7-4zM12 7c0-2 1-3.500 3-4"],
  [/electronic/, "M3 5h18v12H3zM9 20.500h6M12 17v3.500"],
  [/home|kitchen/, "M3 11h13v3.500a4.500 4.500 0 0 1-4.500 4.500h-4A4.500 4.500 0 0 1 3 14.500zM16 12.500h6M6 7.500h7"],
  [/car\b|tyre|motor|vehicle|automotive/, "M3 16v-3.500l2.500-1L8 7h8l2.500 4.500 2.500 1V16zM7 18.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 18.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM7 11.500h10"],
  [/drill|tool|hammer|saw|grinder|sander|screw|wrench|paint|diy|hardware/, "M3 5.500h12v5.500H3zM15 7h3.500v2.500H15M18.500 8.200h3M6 11l1 9h4.500L11 11M7 8.200h4"],
  [/plant|garden|seed|lawn|pot plant|flower|hose|mower/, "M12 21v-9M12 13c0-4-3-6-7-6 0 4 3 6 7 6zM12 11c0-4 3-6.500 7-6.500 0 4-3 6.500-7 6.500zM8 21h8"],
];

/** Where the colour of a department begins; others get theirs by their name. */
const HUES = [
  [/electronic/, 250],
  [/computer|office/, 280],
  [/kitchen|home/, 55],
  [/furniture|light/, 80],
  [/cloth|shoe/, 345],
  [/beauty|health/, 15],
  [/sport|outdoor/, 195],
  [/toy|baby/, 310],
  [/grocery|food|pet/, 130],
  [/garden|diy|car/, 155],
];

function hueOf(text) {
  const known = HUES.find(([pattern]) => pattern.test(text));
  if (known) return known[1];
  let hash = 7;
  for (const c of text) hash = (hash * 31 + c.codePointAt(0)) % 360;
  return hash;
}

/**
 * A drawing of what the first of some texts says; what none of them says, the first one's letter.
 * @param {{texts: string[], department?: string, seed?: number}} props
 */
export function Drawing({ texts, department = "", seed = 0 }) {
  const of = (text) => DRAWINGS.find(([pattern]) => pattern.test(text.toLowerCase()))?.[1];
  const path = texts.map(of).find(Boolean);
  const letter = [...texts[0].trim()][0]?.toUpperCase() ?? "";
  const [x, y] = [18 + ((seed * 37) % 60), 20 + ((seed * 53) % 50)];
  const hue = hueOf((department || texts[0]).toLowerCase()) + ((seed * 13) % 17) - 8;
  return html`<span class="art" style=${{ "--hue": String(hue) }}>
    <svg viewBox="0 0 100 100" aria-hidden="true" focusable="false">
      <circle class="art-back" cx=${x} cy=${y} r=${34 + (seed % 5) * 3} />
      <circle class="art-back" cx=${100 - x / 2} cy=${104 - y / 3} r=${22 + (seed % 3) * 5} />
      ${path
        ? html`<path class="art-line" d=${path} transform="translate(29 29) scale(1.75)" />`
        : html`<text class="art-letter" x="50" y="52" text-anchor="middle" dominant-baseline="central">${letter}</text>`}
    </svg>
  </span>`;
}

/**
 * A product's picture, in a square that is kept for it from the start.
 * @param {{product: object, url?: string | null, alt?: string, isFirst?: boolean}} props `isFirst`: it is seen at once
 */
export function Picture({ product, url = product.image_url, alt = "", isFirst = false }) {
  const [failed, setFailed] = useState(null);
  if (url && failed !== url) {
    return html`<img class="picture" src=${url} alt=${alt} width="600" height="600" loading=${isFirst ? "eager" : "lazy"}
      decoding="async" referrerpolicy="no-referrer" onError=${() => setFailed(url)} />`;
  }
  const path = product.category?.path ?? [];
  // The narrowest words first: "Headphones" says more than "Electronics".
  const texts = [product.name, ...[...path].reverse()];
  return html`<${Drawing} texts=${texts} department=${path[0]} seed=${product.id ?? 0} />`;
}
