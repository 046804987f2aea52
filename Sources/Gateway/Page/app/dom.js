// Elements from plain values. Text always becomes a text node, so nothing that a job, a file or a person is called can
// become markup; and no style attribute is written, which the content security policy would refuse.

/** An HTML element. A function among the attributes listens; null, undefined and false leave an attribute or a child out. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Puts other children in; what has the focus and a `data-focus` name gets it back if it is there again. */
export function replace(element, ...children) {
  const held = element.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  element.replaceChildren(...present(children));
  if (held) element.querySelector(`[data-focus="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
}

/** Writes only what changed: a live region speaks, and a selection goes, with every write. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const kept = new WeakMap();

/** Makes the children of `parent` those of `items`, and keeps the element of each that stays: focus and selection stay too. */
export function reconcile(parent, items, keyOf, create, update) {
  const old = kept.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const key = keyOf(item);
    now.set(key, old.get(key) ?? create(item));
  }
  for (const [key, element] of old) if (now.get(key) !== element) element.remove();
  let place = parent.firstChild;
  for (const item of items) {
    const element = now.get(keyOf(item));
    update(element, item);
    if (element === place) place = place.nextSibling;
    else parent.insertBefore(element, place);
  }
  kept.set(parent, now);
}

// Characters that steer a terminal or turn the direction of what follows.
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** A text from outside on one line. */
export function clean(text) {
  return String(text ?? "").slice(0, 4_000).replace(steering, "\ufffd").replace(/\s+/g, " ");
}

/** A name from outside, cut to `most` characters, and apart from the direction of the text around it. */
export function name(text, most = 80) {
  const whole = clean(text);
  const letters = [...whole];
  const cut = letters.length > most;
  return h("bdi", { title: cut ? whole.slice(0, 2_000) : null }, cut ? `${letters.slice(0, most).join("")}…` : whole);
}

let announcing;

/** Says something to people who listen to the page. */
export function announce(text) {
  const region = document.getElementById("announcer");
  clearTimeout(announcing);
  region.textContent = "";
  announcing = setTimeout(() => { region.textContent = text; }, 60);
}
