// Elements without markup in strings: whatever a message holds stays text.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element: `class`, `text`, `on: {event: handler}`, `data: {}`, properties as attributes. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "value") node.value = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SHAPES = {
  send: ["M4 12l16-8-6 16-3-7z", "M11 13l9-9"],
  attach: ["M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.6-8.6a3.4 3.4 0 0 1 4.8 4.8l-8.6 8.6a1.7 1.7 0 0 1-2.4-2.4l7.8-7.8"],
  at: ["M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z", "M16 8v5a2.5 2.5 0 0 0 5 0v-1a9 9 0 1 0-3.6 7.2"],
  reply: ["M9 7l-5 5 5 5", "M4 12h9a7 7 0 0 1 7 7"],
  thread: ["M5 5h14v10H9l-4 4z", "M9 9h6M9 12h4"],
  smile: ["M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z", "M8.5 14.5a4.5 4.5 0 0 0 7 0", "M9 9.6v.1M15 9.6v.1"],
  recall: ["M4 5v5h5", "M4.6 10A8 8 0 1 1 4 14"],
  story: ["M5 4v16", "M5 6h.1M5 12h.1M5 18h.1", "M9 6h11M9 12h8M9 18h10"],
  file: ["M6 3h8l4 4v14H6z", "M14 3v4h4", "M9 12h6M9 16h6"],
  bolt: ["M13 3L5 14h6l-1 7 8-11h-6z"],
  people: ["M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z", "M2.5 20a6.5 6.5 0 0 1 13 0", "M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5a6.5 6.5 0 0 1 3.5 5.5"],
  person: ["M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M4.5 20.5a7.5 7.5 0 0 1 15 0"],
  plus: ["M12 5v14M5 12h14"],
  close: ["M6 6l12 12M18 6L6 18"],
  back: ["M14 6l-6 6 6 6"],
  down: ["M6 9l6 6 6-6"],
  menu: ["M4 7h16M4 12h16M4 17h16"],
  sun: ["M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"],
  auto: ["M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z", "M12 3v18", "M12 7h6M12 11h8.9M12 15h8.4M12 19h5"],
  language: ["M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z", "M3 12h18", "M12 3c5 5 5 13 0 18-5-5-5-13 0-18z"],
  keys: ["M3 6h18v12H3z", "M7 10h.1M11 10h.1M15 10h.1M17 14h.1M7 14h.1M10 14h4.5"],
  cut: ["M4 12h5M15 12h5", "M10 6l1.5 3M14 6l-1.5 3M10 18l1.5-3M14 18l-1.5-3"],
  ear: ["M8 19a3 3 0 0 0 5-2c0-3 5-4 5-9a6 6 0 0 0-12 0", "M9.5 9a2.5 2.5 0 0 1 5 0c0 1.5-1.5 2-2 3", "M4 4l16 16"],
  plug: ["M8 3v5M16 3v5", "M6 8h12v3a6 6 0 0 1-12 0z", "M12 17v4"],
  gauge: ["M4.5 18a9 9 0 1 1 15 0", "M12 14l4-5", "M12 14h.1"],
  twice: ["M8 8h12v12H8z", "M16 8V4H4v12h4"],
  clock: ["M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z", "M12 7v5.5l3.5 2"],
  key: ["M15 13a4.5 4.5 0 1 0-4.2-2.8L4 17v3h4v-2h2v-2h2l1-1.3", "M16 8h.1"],
  skull: ["M12 3a8 8 0 0 0-5 14.2V20h10v-2.8A8 8 0 0 0 12 3z", "M9 11h.1M15 11h.1", "M10.5 20v-2M13.5 20v-2"],
  heal: ["M4 12l5 5L20 6"],
  image: ["M4 5h16v14H4z", "M4 16l5-5 4 4 2.5-2.5L20 17", "M15.5 9.5h.1"],
};

/** A stroke icon; decoration, so it has no name of its own. */
export function icon(name, size = 18) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", class: "icon" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  for (const shape of SHAPES[name] ?? []) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}

/** A button with an icon and a name for those who do not see it. */
export function iconButton(name, label, onClick, props = {}) {
  const { class: extra = "", ...rest } = props;
  return el("button", { type: "button", class: `icon-button ${extra}`.trim(), "aria-label": label, title: label, on: { click: onClick }, ...rest }, icon(name));
}

/** Puts new children in a node, and the focus back where it was if that is still there. */
export function refill(node, ...children) {
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  node.replaceChildren(...children.flat().filter(Boolean));
  if (focused) node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

export const byId = (id) => document.getElementById(id);
