// Translate: while typing, sentence by sentence, with what each word was made from.
import { $, debounced, latest, make, percent, plural, roving, show } from "./dom.js";
import { events, post } from "./api.js";
import { Foot, examples, modelsOf } from "./pane.js";

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" });
const WORD = /[\p{L}\p{N}\p{M}]+(?:['’\-.][\p{L}\p{N}\p{M}]+)*/gu;
const special = (token) => /^<.*>$/.test(token);
const named = (token) => (token === "</s>" ? "end" : special(token) ? token.replace(/^<2?(.*)>$/, "to $1") : token.replace("▁", ""));

/** Places of the words of a text, and for each the subwords that spell it: [{start, end, pieces}]. */
function wordsOf(text, tokens) {
  const lower = text.toLowerCase(), places = [];
  let at = 0;
  for (const token of tokens) {
    const piece = named(token).toLowerCase(), found = piece && !special(token) ? lower.indexOf(piece, at) : -1;
    // A subword that is not in the text near here was changed on the way, as a number or a name can be.
    if (found >= 0 && found - at < 24) { places.push([found, found + piece.length]); at = found + piece.length; } else places.push(null);
  }
  return [...text.matchAll(WORD)].map((match) => {
    const start = match.index, end = start + match[0].length;
    return { start, end, pieces: places.flatMap((place, piece) => (place && place[0] < end && place[1] > start ? [piece] : [])) };
  });
}

/** Nodes for a text whose words are made by `word(text, place)`. */
function woven(text, words, word) {
  const nodes = [];
  let at = 0;
  words.forEach((each, place) => {
    nodes.push(text.slice(at, each.start), word(text.slice(each.start, each.end), place));
    at = each.end;
  });
  return [...nodes, text.slice(at)];
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / (values.length || 1);

function heatMap({ source_tokens: sources, target_tokens: targets, weights }, target) {
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Attention" }, make("table", { class: "heat" },
    make("caption", {}, "A row for each subword written: how much of its attention went to each subword read, in percent."),
    make("thead", {}, make("tr", {}, make("td", {}), sources.map((token) => make("th", { scope: "col" }, make("span", {}, named(token)))))),
    make("tbody", {}, targets.map((token, row) => make("tr", {}, make("th", { scope: "row", lang: target }, named(token)),
      weights[row].map((weight) => make("td", { "--weight": weight }, weight >= 0.1 ? Math.round(weight * 100) : "")))))));
}

/** One sentence: what was read, what was written, alternatives, attention, confidence. */
function pairing(source, event, { target, card, say }) {
  const { attention } = event;
  const read = attention ? wordsOf(source, attention.source_tokens) : [];
  const written = attention ? wordsOf(event.translation, attention.target_tokens) : [];
  const share = (to, from) => mean(to.pieces.map((row) => from.pieces.reduce((sum, column) => sum + attention.weights[row][column], 0)));
  const sourceNodes = [], targetNodes = [];
  const light = (nodes, weights) => nodes.forEach((node, place) => {
    node.classList.toggle("lit", weights !== null && weights[place] > 0.08);
    node.style.setProperty("--weight", weights ? Math.min(1, weights[place]).toFixed(3) : 0);
  });
  const clear = () => { light(sourceNodes, null); light(targetNodes, null); targetNodes.forEach((node) => node.classList.remove("chosen")); };
  function point(place) {
    const weights = read.map((from) => share(written[place], from));
    clear();
    light(sourceNodes, weights);
    targetNodes[place].classList.add("chosen");
    const best = weights.map((weight, at) => [weight, sourceNodes[at].textContent]).filter(([weight]) => weight > 0.08).sort((one, other) => other[0] - one[0]).slice(0, 3);
    say(best.length
      ? [make("b", { lang: target }, targetNodes[place].textContent), " was made from ", best.flatMap(([weight, word], order) => [order ? ", " : "", make("b", {}, word), ` ${percent(weight)}`])]
      : [make("b", { lang: target }, targetNodes[place].textContent), " was made from no single word."]);
  }
  function pointBack(place) {
    clear();
    light(targetNodes, written.map((to) => share(to, read[place])));
    sourceNodes[place].classList.add("lit");
    sourceNodes[place].style.setProperty("--weight", 1);
  }
  const readNodes = woven(source, read, (word, place) => (sourceNodes[place] = make("span", { onpointerenter: () => pointBack(place) }, word)));
  const writtenNodes = woven(event.translation, written, (word, place) => (targetNodes[place] =
    make("span", { role: "button", tabindex: place ? -1 : 0, onpointerenter: () => point(place), onclick: () => point(place) }, word)));
  const line = make("p", { class: "target-words", lang: target, role: "group", "aria-label": "Words of the translation; the arrow keys move among them" }, writtenNodes);
  roving(line, "[role=button]", (node) => point(targetNodes.indexOf(node)));

  const sure = event.confidence, unsure = sure !== undefined && card.confidence && sure < card.confidence.threshold;
  const others = event.hypotheses.slice(1);
  return make("div", { class: unsure ? "pairing unsure" : "pairing", onpointerleave: clear },
    make("p", { class: "source-words" }, readNodes), line,
    make("p", { class: "sure" },
      unsure && make("span", { class: "warn" }, "Low confidence: check this"),
      sure !== undefined && make("span", { title: card.confidence ? `The probability ${card.confidence.what}` : null }, `confidence ${percent(sure)}`),
      !event.complete && make("span", { class: "warn" }, "Cut: the translation reached its limit"),
      event.degraded && make("span", { class: "warn" }, "Translated in a hurry: try again for a better one"),
      event.truncated && make("span", { class: "warn" }, "A part of the text was left out")),
    others.length > 0 && make("details", {}, make("summary", {}, plural(others.length, "alternative")),
      make("ol", {}, others.map((each) => make("li", {}, make("span", { lang: target }, each.translation), " ", make("small", {}, each.score.toFixed(2)))))),
    attention && make("details", {}, make("summary", {}, "Attention"), heatMap(attention, target)));
}

export function translatePane() {
  const pane = $("translate"), text = $("translate-text"), out = $("translate-out"), pair = $("translate-pair"), count = $("translate-count");
  const readout = $("translate-readout"), foot = new Foot(pane), cards = modelsOf("translate");
  const say = (what) => show(readout, what);
  show(pair, cards.flatMap((card) => (card.pairs ?? []).map(({ source, target }) =>
    make("option", { value: JSON.stringify({ source, target, model: card.name }) }, `${LANGUAGES.of(source)} to ${LANGUAGES.of(target)}${cards.length > 1 ? ` (${card.name})` : ""}`))));
  const chosen = () => JSON.parse(pair.value);
  const cardOf = () => cards.find((card) => card.name === chosen().model);

  const run = latest(async (signal) => {
    const asked = text.value;
    say("");
    if (!asked.trim()) {
      foot.nothing();
      return show(out, make("p", { class: "empty" }, "The translation appears here, sentence by sentence."));
    }
    const { source, target, model } = chosen(), number = Number(count.value);
    const body = { text: asked, source, target, model, beam_size: Math.max(4, number), num_hypotheses: number, attention: true, offset_unit: "utf16", stream: true };
    foot.asking("translate", body);
    out.classList.add("busy");
    const found = [];
    try {
      const answer = await post("translate", body, signal);
      for await (const { event, data } of events(answer)) {
        if (event === "refused") { show(out, make("p", { class: "empty" }, data.detail)); out.classList.remove("busy"); }
        if (event !== "sentence") continue;
        if (!found.some(Boolean)) show(out);
        out.classList.remove("busy");
        found[data.sentence] = data;
        const node = pairing(asked.slice(data.source.start, data.source.end), data, { target, card: cardOf(), say });
        node.dataset.sentence = data.sentence;
        out.insertBefore(node, [...out.children].find((each) => Number(each.dataset.sentence) > data.sentence) ?? null);
      }
      foot.answered(found, answer, `${plural(found.length, "sentence")} translated`);
      // What a screen reader hears of the translation: whole, once, and not its words one by one.
      foot.status.append(make("span", { class: "unseen", lang: target }, ` ${found.map((each) => each.translation).join(" ")}`));
      out.classList.remove("busy");
    } catch (error) {
      if (error.name !== "AbortError") out.classList.remove("busy");
      foot.failed(error, run);
    }
  });

  const first = "Thank you for your message. The meeting begins at nine, and we will send you the report tomorrow.";
  examples(text, {
    "a note": first,
    business: "Please find attached the invoice for €1,250.50.\n\nThe shipment left our warehouse on 3 May and should arrive within five working days.",
    "a hard one": "He kicked the bucket, and the cat was let out of the bag in a Catch-22 kind of way.",
  });
  if (!cards.length) return show(out, make("p", { class: "empty" }, "No translator is served here."));
  const describe = () => foot.describes(cardOf());
  text.addEventListener("input", debounced(run, 300));
  for (const select of [pair, count]) select.addEventListener("change", () => { describe(); run(); });
  text.value = text.value || first;
  describe();
  run();
}
