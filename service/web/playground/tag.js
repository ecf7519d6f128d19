// Tag: entities as spans, parts of speech under the words, or a table.
import { $, debounced, latest, make, percent, plural, show } from "./dom.js";
import { post } from "./api.js";
import { Foot, examples, listModels } from "./pane.js";

const HUES = { PER: 10, ORG: 255, LOC: 150, DATE: 300, TIME: 330, MONEY: 90, PERCENT: 60, MISC: 205 };
const hue = (label) => HUES[label] ?? [...label].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
const NAMES = { PER: "person", ORG: "organisation", LOC: "place", DATE: "date", TIME: "time", MONEY: "amount of money", PERCENT: "percentage", MISC: "other name" };
const POS = { ADJ: "adjective", ADP: "adposition", ADV: "adverb", AUX: "auxiliary", CCONJ: "coordinating conjunction", DET: "determiner", INTJ: "interjection", NOUN: "noun", NUM: "numeral", PART: "particle", PRON: "pronoun", PROPN: "proper noun", PUNCT: "punctuation", SCONJ: "subordinating conjunction", SYM: "symbol", VERB: "verb", X: "other" };
const OPEN_CLASSES = new Set(["ADJ", "ADV", "NOUN", "PROPN", "VERB"]);

const kind = (label) => make("span", { class: "kind", "--hue": hue(label) }, label);

function word(token) {
  return make("span", { class: "word" }, token.text,
    token.upos && token.upos !== "PUNCT" && make("i", { class: OPEN_CLASSES.has(token.upos) ? "open" : null, title: POS[token.upos] }, token.upos));
}

/** Nodes for a stretch of the text: its words, and whatever stands between them. */
function* stretch(text, tokens, start, end) {
  let at = start;
  for (const token of tokens) {
    if (token.start < at || token.end > end) continue;
    if (token.start > at) yield text.slice(at, token.start);
    yield word(token);
    at = token.end;
  }
  if (at < end) yield text.slice(at, end);
}

function spans(text, result) {
  const tokens = result.sentences.flatMap((sentence) => sentence.tokens), nodes = [];
  let at = 0;
  for (const entity of result.entities ?? []) {
    nodes.push(...stretch(text, tokens, at, entity.start));
    nodes.push(make("mark", { class: "entity", "--hue": hue(entity.label), title: `${NAMES[entity.label] ?? entity.label}, ${percent(entity.score)}` },
      ...stretch(text, tokens, entity.start, entity.end), kind(entity.label)));
    at = entity.end;
  }
  nodes.push(...stretch(text, tokens, at, text.length));
  const labels = [...new Set((result.entities ?? []).map((entity) => entity.label))];
  return [make("div", { class: "tagged" }, nodes),
    make("p", { class: "legend" }, labels.map((label) => make("span", {}, kind(label), NAMES[label] ?? label)))];
}

function table(text, result) {
  const at = (token) => (result.entities ?? []).find((entity) => entity.start <= token.start && token.end <= entity.end);
  const rows = result.sentences.flatMap((sentence, place) => sentence.tokens.map((token, order) => {
    const entity = at(token), last = order === sentence.tokens.length - 1 && place < result.sentences.length - 1;
    return make("tr", { class: last ? "gap" : null }, make("th", { scope: "row" }, token.text), make("td", {}, `${token.start}–${token.end}`),
      make("td", {}, token.upos ?? "", make("span", { class: "unseen" }, ` ${POS[token.upos] ?? ""}`)), make("td", {}, token.xpos ?? ""),
      make("td", {}, token.entity ?? ""), make("td", {}, entity ? [kind(entity.label), ` ${percent(entity.score)}`] : ""));
  }));
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of words" }, make("table", { class: "wide" },
    make("caption", {}, `${plural(rows.length, "token")} in ${plural(result.sentences.length, "sentence")}; offsets count UTF-16 units, as this page does.`),
    make("thead", {}, make("tr", {}, ["Word", "Offsets", "Part of speech", "Penn", "Tag", "Entity"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, rows)));
}

export function tagPane() {
  const pane = $("tag"), text = $("tag-text"), out = $("tag-out"), model = $("tag-model"), foot = new Foot(pane);
  let last = null;

  function draw() {
    if (!last) return;
    const { asked, result } = last, view = pane.querySelector("[name=tag-view]:checked").value;
    if (!result.sentences.length) show(out, make("p", { class: "empty" }, result.detail ?? "There is no word in it."));
    else show(out, view === "table" ? table(asked, result) : spans(asked, result));
  }

  const run = latest(async (signal) => {
    const asked = text.value;
    if (!asked.trim()) {
      last = null;
      foot.nothing();
      return show(out, make("p", { class: "empty" }, "The tagged text appears here."));
    }
    const body = { text: asked, model: model.value, offset_unit: "utf16" };
    foot.asking("tag", body);
    out.classList.add("busy");
    try {
      const answer = await post("tag", body, signal), content = await answer.json();
      last = { asked, result: content.results[0] };
      draw();
      foot.answered(content, answer, `${plural((last.result.entities ?? []).length, "name")} and ${plural(last.result.sentences.reduce((sum, each) => sum + each.tokens.length, 0), "token")}`);
      out.classList.remove("busy");
    } catch (error) {
      if (error.name !== "AbortError") out.classList.remove("busy");
      foot.failed(error, run);
    }
  });

  examples(text, {
    "a message": "Kim Lee moved to Hong Kong in March 2019 and pays A$1,200 a month to Ribbon Rooms Ltd.",
    "the news": "Angela Merkel met Emmanuel Macron in Berlin on Tuesday. They agreed to spend 2.5 billion euros by 2030, which is 12% more than before.",
    "a puzzle": "Will Will will the will to Will? The old man the boat.",
  });
  if (!listModels(model, "tag", out, foot)) return;
  text.addEventListener("input", debounced(run, 250));
  model.addEventListener("change", run);
  pane.addEventListener("change", (event) => { if (event.target.name === "tag-view") draw(); });
  text.value = text.value || "Kim Lee moved to Hong Kong in March 2019 and pays A$1,200 a month to Ribbon Rooms Ltd.";
  run();
}
