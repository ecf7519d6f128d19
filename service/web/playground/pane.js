// What all panes share: the foot with failures, times and code; models; examples.
import { $, copy, make, show, tabs } from "./dom.js";
import { Failure, setKey, timing } from "./api.js";
import { codeFor } from "./code.js";

export const served = []; // cards of GET /models
export const modelsOf = (task) => served.filter((card) => card.task === task);

/** The lower part of a pane. */
export class Foot {
  #code = {};
  #language = "curl";
  #answer = null;

  constructor(pane) {
    const foot = pane.querySelector(".foot");
    foot.append($("foot").content.cloneNode(true));
    const find = (selector) => foot.querySelector(selector);
    [this.error, this.status, this.times, this.card, this.json, this.text] =
      [".error", ".status", ".timing", ".card", ".copy-json", "code"].map(find);
    const list = find(".codetabs"), box = find(".codebox");
    box.id = `${pane.id}-code`;
    for (const name of ["curl", "Python", "JavaScript"]) {
      list.append(make("button", { type: "button", role: "tab", id: `${pane.id}-${name}`, "aria-controls": box.id }, name));
    }
    tabs(list, (tab) => {
      this.#language = tab.textContent;
      box.setAttribute("aria-labelledby", tab.id);
      this.text.textContent = this.#code[this.#language] ?? "";
    })(list.firstElementChild);
    find(".copy-code").addEventListener("click", (event) => copy(event.currentTarget, this.text.textContent));
    this.json.addEventListener("click", () => copy(this.json, JSON.stringify(this.#answer, null, 2)));
    this.codeIs({ curl: "Nothing has been asked yet.", Python: "# Nothing has been asked yet.", JavaScript: "// Nothing has been asked yet." });
  }

  codeIs(code) {
    this.#code = code;
    this.text.textContent = code[this.#language];
  }

  /** A request goes out. */
  asking(path, body) {
    this.codeIs(codeFor(path, body));
    this.began = performance.now();
    show(this.error);
  }

  /** Its answer is there, or the last event of it. */
  answered(content, answer, what = "Answered") {
    const milliseconds = performance.now() - this.began;
    this.#answer = content;
    this.json.hidden = false;
    this.status.textContent = `${what} in ${milliseconds < 100 ? milliseconds.toFixed(0) : Math.round(milliseconds / 10) * 10} ms.`;
    this.#timesOf(answer);
  }

  #timesOf(answer) {
    const streams = answer.headers.get("Content-Type").startsWith("text/event-stream");
    show(this.times, streams ? "Server-Timing, when the stream began: " : "Server-Timing: ", timing(answer).map(([name, value]) => make("span", {}, `${name} `, make("b", {}, `${value.toFixed(1)} ms`))));
  }

  nothing() {
    show(this.error);
    show(this.times);
    this.status.textContent = "";
    this.json.hidden = true;
  }

  /** Say what went wrong, with a way out. Ends silently if the request was only superseded. */
  failed(error, retry) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Failure)) throw error;
    this.status.textContent = "";
    show(this.times);
    show(this.error, error.status === 401 ? askForKey(error.message, retry) : [make("p", {}, error.message), make("button", { type: "button", onclick: retry }, "Try again")]);
  }

  describes(card) {
    this.card.textContent = card ? `${card.name} ${card.version}, ${card.precision} on the ${card.device === "cuda" ? "GPU" : "CPU"}. Terms: ${card.licence}.` : "";
  }
}

/** A form for the key, which stays in this page's memory. */
export function askForKey(message, retry) {
  const field = make("input", { type: "password", "aria-label": "Key", autocomplete: "off", required: true });
  const use = (event) => { event.preventDefault(); setKey(field.value); retry(); };
  return [make("p", {}, message), make("form", { onsubmit: use }, field, " ", make("button", {}, "Use this key"))];
}

/** Fill a list of models; the default is chosen. Returns false, and says so, where there is none. */
export function listModels(select, task, out, foot) {
  const models = modelsOf(task);
  show(select, models.map((card) => make("option", { value: card.name, selected: card.default }, card.name)));
  select.disabled = models.length < 2;
  if (!models.length) show(out, make("p", { class: "empty" }, "No model for this is served here. A bundle in the models folder, and a reload, would change that."));
  const describe = () => foot.describes(models.find((card) => card.name === select.value));
  select.addEventListener("change", describe);
  describe();
  return models.length > 0;
}

/** Buttons that fill a field with an example. */
export function examples(field, texts) {
  const fill = (text) => { field.value = text; field.dispatchEvent(new Event("input", { bubbles: true })); field.focus(); };
  show(document.querySelector(`[data-examples="${field.id}"]`), "Try ", Object.entries(texts).map(([name, text]) =>
    make("button", { type: "button", onclick: () => fill(text) }, name)));
}
