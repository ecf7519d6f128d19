// Inside: what an RNN, a GRU and an LSTM compute for a sentence, word by word. Computed here, from weights of a file.
import { $, debounced, make, percent, plural, roving, show } from "./dom.js";
import { address, get } from "./api.js";
import { read, unpack, wordsOf } from "./cells.js";
import { python } from "./code.js";
import { Foot, examples } from "./pane.js";

const MOST_WORDS = 60;
const NETWORKS = {
  rnn: { title: "RNN", equation: "h′ = tanh(W x + U h + b)\n\nIt has no gates: every word makes all of the state anew." },
  gru: { title: "GRU", equation: "r, z = σ(W x + U h + b)\nn = tanh(W x + b + r ⊙ (U h + c))\nh′ = (1 − z) ⊙ n + z ⊙ h" },
  lstm: { title: "LSTM", equation: "i, f, o = σ(W x + U h + b)\ng = tanh(W x + U h + b)\nc′ = f ⊙ c + i ⊙ g\nh′ = o ⊙ tanh(c′)" },
};
// Maps by cell, in the order shown: field, name, meaning, whether between 0 and 1.
const MAPS = {
  rnn: [["hidden", "Hidden state h", "−1 to 1", false]],
  gru: [["hidden", "Hidden state h", "−1 to 1", false], ["keep", "Update gate z", "1 keeps the old state", true],
    ["reset", "Reset gate r", "1 looks at the old state", true], ["candidate", "Candidate n", "what would be written", false]],
  lstm: [["hidden", "Hidden state h", "what is shown outside", false], ["cell", "Cell state c", "the memory, ±2", false], ["forget", "Forget gate f", "1 keeps the memory", true],
    ["input", "Input gate i", "1 writes", true], ["output", "Output gate o", "1 shows the memory", true], ["candidate", "Candidate g", "what would be written", false]],
};
const KEPT = { gru: ["keep", "its update gates keep"], lstm: ["forget", "its forget gates keep"] };
const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const signed = (value) => value.toFixed(2).replace("-", "−");

/** Units by how they vote: from those that speak for positive to those that speak for negative. */
function unitOrder(head) {
  const vote = head[0].map((_, unit) => head.at(-1)[unit] - head[0][unit]);
  return vote.map((_, unit) => unit).sort((one, other) => vote[other] - vote[one]);
}

/** How much the last judgement would change if one word were an unknown one: half the sum of all differences. */
function influences(tables, name, vectors, last) {
  return vectors.map((_, place) => {
    const without = read(tables, name, vectors.with(place, tables.words[0])).at(-1).probabilities;
    return without.reduce((sum, value, label) => sum + Math.abs(value - last[label]), 0) / 2;
  });
}

function map(rows, { gate, scale = 1, label, tell }) {
  const cells = rows.flatMap((row, unit) => row.map((value, step) => make("i", { "--v": (value / scale).toFixed(3), "data-step": step, "data-unit": unit })));
  const node = make("div", { class: gate ? "map gate" : "map", role: "img", "aria-label": label, "--steps": rows[0].length }, cells);
  node.addEventListener("pointerover", (event) => {
    const { step, unit } = event.target.dataset;
    if (step) tell(Number(step), Number(unit), rows[unit][step]);
  });
  return node;
}

function verdict(labels, probabilities) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  return [make("b", { class: labels[best] }, labels[best]), ` ${percent(probabilities[best])}`];
}

function network(model, name, steps, words, say, choose) {
  const { labels, tables } = model, order = unitOrder(tables[`${name}.head`]);
  const change = influences(tables, name, words.map((word) => word.vector), steps.at(-1).probabilities);
  const title = (text, meaning) => make("h4", {}, text, make("span", {}, meaning));
  const reading = make("div", { class: "reading", "--steps": steps.length, role: "img", "aria-label": `Judgement after every word; at the end ${labels.map((label, place) => `${label} ${percent(steps.at(-1).probabilities[place])}`).join(", ")}` },
    steps.map((step, place) => make("div", { "data-step": place, onpointerenter: () => choose(place) },
      [2, 1, 0].map((label) => make("i", { class: labels[label], "--share": step.probabilities[label] })))));
  const maps = MAPS[name].flatMap(([field, text, meaning, gate]) => {
    const rows = order.map((unit) => steps.map((step) => step[field][unit]));
    const tell = (step, unit, value) => say(make("b", {}, `${NETWORKS[name].title}, ${text.replace(/ \S+$/, "").toLowerCase()}`), `: unit ${order[unit] + 1} after “${words[step].text}” is `, make("b", {}, signed(value)), ".");
    return [title(text, meaning), map(rows, { gate, scale: field === "cell" ? 2 : 1, label: `${text} of ${order.length} units after each of ${plural(words.length, "word")}`, tell })];
  });
  const tellChange = (step) => say(make("b", {}, NETWORKS[name].title), `: without “${words[step].text}” the judgement at the end would change by `, make("b", {}, percent(change[step])), ".");
  const effect = make("div", { class: "reading effect", "--steps": steps.length, role: "img", "aria-label": `Change of the last judgement without each word: ${words.map((word, place) => `${word.text} ${percent(change[place])}`).join(", ")}` },
    change.map((value, place) => make("div", { "data-step": place, onpointerenter: () => tellChange(place) }, make("i", { class: "effect", "--share": value }))));
  return make("div", { class: "network", "data-network": name },
    make("h3", {}, NETWORKS[name].title, make("small", {}, `${percent(model.accuracy[name])} right on ${model.num_dev.toLocaleString("en")} texts`)),
    make("p", { class: "equation" }, NETWORKS[name].equation),
    make("p", { class: "verdict" }, "At the end: ", verdict(labels, steps.at(-1).probabilities)),
    make("div", { class: "maps", tabindex: 0, role: "group", "aria-label": `${NETWORKS[name].title}, over time` },
      title("Judgement", "after each word"), reading,
      title("Weight of each word", "change without it"), effect, maps));
}

function keys(labels) {
  return make("div", { class: "keys" }, make("h3", {}, "How to read this"),
    make("p", {}, labels.map((label) => make("span", { class: "scale" }, make("i", { class: `dot ${label}` }), label))),
    make("p", {}, make("span", { class: "scale" }, "low", make("i", { class: "signed" }), "high"), make("span", { class: "scale" }, "shut", make("i", { class: "gated" }), "open")),
    make("p", {}, "A column is a word, a row of a map is one of 16 units: at the top those that speak for positive, at the bottom those for negative."),
    make("p", {}, "Every gate has weights W, U and b of its own; ⊙ multiplies unit by unit. Where a network keeps its state, the columns stay alike; where a word changes its mind, they break."));
}

/** Say what happens at a word, and mark it in all maps. */
function tellStep(out, model, read, words, place, say) {
  for (const each of out.querySelectorAll("[data-step]")) each.classList.toggle("at", Number(each.dataset.step) === place);
  say(`After “${words[place].text}”${words[place].known ? "" : " (a word they do not know)"}: `, Object.entries(read).flatMap(([name, steps]) => {
    const [field, what] = KEPT[name] ?? [], kept = field && average(steps[place][field]);
    return [`${NETWORKS[name].title} `, verdict(model.labels, steps[place].probabilities), kept ? ` (${what} ${percent(kept)})` : "", name === "lstm" ? "." : "; "];
  }));
}

function codeOf(text) {
  const file = address("playground/inside.json"), cells = address("playground/cells.js");
  return {
    curl: `# The networks run in this page; this fetches their weights.\ncurl -sS '${file}'`,
    Python: `import base64, re
import httpx
import numpy as np

model = httpx.get(${JSON.stringify(file)}).json()
tables = {name: np.frombuffer(base64.b64decode(t["int8"]), np.int8).reshape(t["shape"]) * t["scale"]
          for name, t in model["tables"].items()}
places = {word: place for place, word in enumerate(model["words"].split(" "), 1)}
text = ${python(text)}
words = re.findall(r"[^\\W_]+(?:'[^\\W_]+)*|[^\\w\\s]|_", text.lower().replace("’", "'"))

def sigmoid(x):
    return 1 / (1 + np.exp(-x))

for name, gates in ("rnn", 1), ("gru", 3), ("lstm", 4):
    W, U, b, c, V, d = (tables[f"{name}.{part}"] for part in
                        ("input", "hidden", "input_bias", "hidden_bias", "head", "head_bias"))
    h = cell = np.zeros(U.shape[1])
    for word in words:
        x, u = np.split(W @ tables["words"][places.get(word, 0)] + b, gates), np.split(U @ h + c, gates)
        if name == "rnn":
            h = np.tanh(x[0] + u[0])
        elif name == "gru":
            r, z = sigmoid(x[0] + u[0]), sigmoid(x[1] + u[1])
            h = (1 - z) * np.tanh(x[2] + r * u[2]) + z * h
        else:
            i, f, o = (sigmoid(x[k] + u[k]) for k in (0, 1, 3))
            cell = f * cell + i * np.tanh(x[2] + u[2])
            h = o * np.tanh(cell)
    odds = np.exp(V @ h + d)
    print(name, dict(zip(model["labels"], (odds / odds.sum()).round(5).tolist())))
`,
    JavaScript: `const {read, unpack, wordsOf} = await import(${JSON.stringify(cells)});
const model = await (await fetch(${JSON.stringify(file)})).json();
const tables = unpack(model.tables), words = model.words.split(" ");
const vectors = wordsOf(${JSON.stringify(text)}).map((word) => tables.words[words.indexOf(word) + 1]);
for (const name of ["rnn", "gru", "lstm"]) console.log(name, read(tables, name, vectors).at(-1).probabilities);
`,
  };
}

export async function insidePane() {
  const pane = $("inside"), text = $("inside-text"), out = $("inside-out"), row = $("inside-steps"), readout = $("inside-readout"), foot = new Foot(pane);
  const say = (...what) => show(readout, what.flat(3));
  let model, places;

  function run() {
    const found = wordsOf(text.value), words = found.slice(0, MOST_WORDS).map((word) => ({ text: word, known: places.has(word), vector: model.tables.words[places.get(word) ?? 0] }));
    show(foot.error);
    foot.codeIs(codeOf(text.value));
    if (!words.length) {
      for (const each of [row, readout, out]) show(each);
      foot.status.textContent = "";
      return show(out, make("p", { class: "empty" }, "Type a sentence, and every number appears here."));
    }
    const began = performance.now(), steps = Object.fromEntries(Object.keys(NETWORKS).map((name) => [name, read(model.tables, name, words.map((word) => word.vector))]));
    const took = performance.now() - began;
    const choose = (place) => {
      [...row.children].forEach((each, at) => each.setAttribute("aria-pressed", at === place));
      tellStep(out, model, steps, words, place, say);
    };
    show(row, words.map((word, place) => make("button", { type: "button", class: word.known ? null : "unknown", title: word.known ? null : "Not among the words they know", tabindex: place ? -1 : 0, onclick: () => choose(place), onpointerenter: () => choose(place) }, word.text)));
    show(out, Object.entries(steps).map(([name, each]) => make("div", {}, network(model, name, each, words, say, choose), name === "rnn" && keys(model.labels))));
    choose(words.length - 1);
    const cut = found.length > MOST_WORDS ? ` Only the first ${MOST_WORDS} of ${found.length} words are read.` : "";
    foot.status.textContent = `${plural(words.length, "word")} read by three networks in ${took.toFixed(1)} ms, in this page; the service was not asked.${cut}`;
  }

  examples(text, {
    "a turn": "The service was not bad at all, and I will be back.",
    "a review": "The food was good and the waiter was kind, but the room was cold, dirty and far too loud.",
    "a fact": "The train leaves at nine from platform four.",
  });
  roving(row, "button", (button) => button.click());
  async function load() {
    let file;
    try { file = await get("playground/inside.json"); } catch (error) { return foot.failed(error, load); }
    model = { ...file, tables: unpack(file.tables) };
    places = new Map(file.words.split(" ").map((word, place) => [word, place + 1]));
    foot.card.textContent = `Weights: ${model.licence}.`;
    text.addEventListener("input", debounced(run, 120));
    text.value = text.value || "The service was not bad at all, and I will be back.";
    run();
  }
  await load();
}
