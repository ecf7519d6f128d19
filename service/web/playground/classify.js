// Classify: a text a line, all classes of each as bars.
import { $, bar, debounced, latest, make, percent, plural, show } from "./dom.js";
import { post } from "./api.js";
import { Foot, examples, listModels, modelsOf } from "./pane.js";

const SHOWN = 8; // bars of a model with many classes
const EXAMPLES = {
  "en-sentiment": { reviews: "It was not bad at all.\nThe battery died after two days, and support never answered.\nThe parcel arrives on Tuesday.\n😍😍😍" },
  "en-emotion": { feelings: "I can't believe you did this for me, thank you so much!\nWait, what happened here?\nI miss the old days." },
  "en-intent": { requests: "what's the weather in Oslo tomorrow\nplease move 50 dollars to my savings\nhow long should I boil an egg\nsing like a whale" },
  "en-spam": { messages: "WINNER!! Claim your free prize now, call 0900 123 456\nI'm running ten minutes late, sorry!" },
  "en-irony": { remarks: "Oh great, another Monday. Just what I needed.\nThe train leaves at nine." },
};

function result(text, found, card) {
  if (!found.scores) return make("div", { class: "text" }, make("h3", {}, text), make("p", { class: "verdict" }, found.detail ?? "The model has no answer to this."));
  const chosen = new Set(card.multi_label ? found.labels : [found.label]);
  const classes = Object.entries(found.scores);
  if (classes.length > SHOWN) classes.sort((one, other) => other[1] - one[1]);
  const bars = (some) => make("ul", { class: "bars" }, some.map(([label, score]) =>
    bar(label.replaceAll("_", " "), score, { is: chosen.has(label), mark: card.thresholds?.[label] })));
  const verdict = card.multi_label
    ? (chosen.size ? `${[...chosen].map((label) => label.replaceAll("_", " ")).join(", ")}` : "none of the classes reaches its threshold")
    : `${found.label.replaceAll("_", " ")}, ${percent(found.score)}${found.group ? `; of the group ${found.group.replaceAll("_", " ")}` : ""}`;
  return make("div", { class: "text" }, make("h3", {}, text), make("p", { class: "verdict" }, verdict), bars(classes.slice(0, SHOWN)),
    classes.length > SHOWN && make("details", {}, make("summary", {}, `The other ${classes.length - SHOWN} classes`), bars(classes.slice(SHOWN))));
}

export function classifyPane() {
  const pane = $("classify"), text = $("classify-text"), out = $("classify-out"), model = $("classify-model"), foot = new Foot(pane);
  const run = latest(async (signal) => {
    const card = modelsOf("classify").find((each) => each.name === model.value);
    const texts = text.value.split("\n").filter((line) => line.trim());
    if (!texts.length) {
      foot.nothing();
      return show(out, make("p", { class: "empty" }, "Type a line, and its classes appear here."));
    }
    const body = { text: texts, model: model.value };
    foot.asking("classify", body);
    out.classList.add("busy");
    try {
      const answer = await post("classify", body, signal), content = await answer.json();
      show(out, content.results.map((found, place) => result(texts[place], found, card)),
        card.multi_label ? make("p", { class: "hint" }, "A text may have several of these classes; the tick on a bar is where the class begins to count.") : []);
      foot.answered(content, answer, plural(texts.length, "text"));
      out.classList.remove("busy");
    } catch (error) {
      if (error.name !== "AbortError") out.classList.remove("busy");
      foot.failed(error, run);
    }
  });
  const offer = () => examples(text, EXAMPLES[model.value] ?? EXAMPLES["en-sentiment"]);
  if (!listModels(model, "classify", out, foot)) return;
  offer();
  let typed = false;
  text.addEventListener("input", () => { typed = true; });
  text.addEventListener("input", debounced(run, 250));
  const suggest = () => { if (!typed) text.value = Object.values(EXAMPLES[model.value] ?? EXAMPLES["en-sentiment"])[0]; };
  model.addEventListener("change", () => { offer(); suggest(); run(); });
  suggest();
  run();
}
