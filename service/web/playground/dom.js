// Small functions for building the page. Text always becomes text nodes, never markup.

export const $ = (id) => document.getElementById(id);

/** Make an element: attributes, `--name` style properties, `on…` listeners, then children (nodes or text). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const show = (element, ...children) => element.replaceChildren(...children.flat(Infinity));
export const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`);
export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Call a function once its calls have paused for so many milliseconds. */
export function debounced(call, milliseconds) {
  let timer;
  return () => { clearTimeout(timer); timer = setTimeout(call, milliseconds); };
}

/** Run only the latest call: each one aborts the signal of the one before. `run.stop()` aborts the running one. */
export function latest(run) {
  let controller = new AbortController();
  const start = (...given) => {
    controller.abort();
    controller = new AbortController();
    return run(controller.signal, ...given);
  };
  start.stop = () => controller.abort();
  return start;
}

/** One tab stop for many elements: arrow keys, Home and End move among those that match (roving tabindex). */
export function roving(container, selector, chosen = () => {}) {
  const all = () => [...container.querySelectorAll(selector)];
  const stop = (element) => all().forEach((each) => { each.tabIndex = each === element ? 0 : -1; });
  container.addEventListener("focusin", (event) => {
    const element = event.target.closest(selector);
    if (element) { stop(element); chosen(element); }
  });
  container.addEventListener("keydown", (event) => {
    const elements = all(), place = elements.indexOf(event.target.closest(selector));
    const to = { ArrowRight: place + 1, ArrowDown: place + 1, ArrowLeft: place - 1, ArrowUp: place - 1, Home: 0, End: elements.length - 1 }[event.key];
    if (place < 0 || to === undefined) return;
    event.preventDefault();
    elements[(to + elements.length) % elements.length].focus();
  });
}

/** Make elements with role tab one control; `open(tab)` is called for the chosen one. Returns a function that chooses. */
export function tabs(list, open) {
  const choose = (tab) => {
    for (const each of list.querySelectorAll("[role=tab]")) {
      each.setAttribute("aria-selected", each === tab);
      each.tabIndex = each === tab ? 0 : -1;
    }
    open(tab);
  };
  roving(list, "[role=tab]", choose);
  list.addEventListener("click", (event) => { const tab = event.target.closest("[role=tab]"); if (tab) choose(tab); });
  return choose;
}

/** Copy text and say so on the button for a moment. */
export async function copy(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "The browser does not allow it";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

/** A bar for a share of 1, with its label before and the number behind. */
export function bar(label, share, { is = false, mark } = {}) {
  return make("li", { class: is ? "is" : null },
    label instanceof Node ? label : make("span", {}, label),
    make("span", { class: "bar", "aria-hidden": "true", "--share": share }, mark === undefined ? null : make("span", { class: "mark", "--mark": mark })),
    make("span", {}, percent(share)));
}
