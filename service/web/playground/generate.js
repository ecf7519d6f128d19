// Generate: a stream of tokens with what else could have come, and conversations by their state.
import { $, bar, latest, make, plural, roving, show } from "./dom.js";
import { events, post } from "./api.js";
import { Foot, examples, listModels, modelsOf } from "./pane.js";

const ALTERNATIVES = 8, TURN_TOKENS = 48;
const SURPRISE = 6; // nats, as of a token of 1 in 400, and more: the deepest colour
const CONVERSES = /memory|chat|dialog/; // names of models that were made for conversations
const special = (text) => text === "" || /^<.+>$/.test(text); // the end of a text, or a byte of a character
const visible = (text) => (special(text) ? (text === "</s>" ? "(the end)" : "(part of a character)") : text.replaceAll("\n", "⏎").replace(/^ +$/, "␣"));
const newSeed = () => Math.floor(Math.random() * 1e6);
const bytesOf = (state) => Math.floor(state.length * 0.75).toLocaleString("en");

/** Tokens as they arrive, each a button that tells its alternatives. */
class Tokens {
  constructor(tell) {
    this.list = [];
    this.node = make("span", { class: "tokens writing", role: "group", "aria-label": "Tokens; the arrow keys move among them" });
    const place = (element) => [...this.node.children].indexOf(element);
    const of = (event) => event.target.closest("[role=button]");
    this.node.addEventListener("pointerover", (event) => { if (of(event) && !this.pinned) tell(this.list[place(of(event))]); });
    this.node.addEventListener("click", (event) => { if (of(event)) { this.#press(of(event)); tell(this.list[place(of(event))]); } });
    this.node.addEventListener("keydown", (event) => {
      if (of(event) && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); of(event).click(); }
    });
    roving(this.node, "[role=button]", (element) => tell(this.list[place(element)]));
  }

  #press(element) {
    const was = element.getAttribute("aria-pressed") === "true";
    for (const each of this.node.children) each.setAttribute("aria-pressed", each === element && !was);
    this.pinned = !was;
  }

  add({ text, logprob, top }) {
    this.list.push({ text, logprob, top: top ?? [], before: this.text });
    this.node.append(make("span", { role: "button", "aria-label": text.trim() ? null : visible(text).replace("␣", "space"), "aria-pressed": "false", tabindex: this.list.length === 1 ? 0 : -1, "--surprise": Math.min(1, -logprob / SURPRISE).toFixed(3) }, text));
  }

  get text() { return this.list.map((token) => token.text).join(""); }
  end() { this.node.classList.remove("writing"); }
}

export function generatePane() {
  const pane = $("generate"), foot = new Foot(pane), model = $("generate-model"), prompt = $("generate-prompt"), out = $("generate-out");
  const choices = $("generate-choices"), seed = $("generate-seed"), log = $("talk-out"), said = $("talk-text"), stops = pane.querySelectorAll(".stop");
  const sliders = { temperature: $("generate-temperature"), top_p: $("generate-top-p"), max_tokens: $("generate-tokens") };
  const values = () => Object.fromEntries(Object.entries(sliders).map(([name, slider]) => [name, Number(slider.value)]));
  let written = { prompt: "", text: "", state: null }, talk = null;

  for (const slider of Object.values(sliders)) {
    const tell = () => { $(`${slider.id}-value`).textContent = slider.step < 1 ? Number(slider.value).toFixed(2) : slider.value; };
    slider.addEventListener("input", tell);
    tell();
  }

  /** Show what else could have come in place of a token. */
  function tell(token, before, goOn) {
    choices.hidden = false;
    const all = token.top.some((each) => each.text === token.text) ? token.top : [...token.top, token];
    const rest = Math.max(0, 1 - all.reduce((sum, each) => sum + Math.exp(each.logprob), 0));
    show(choices, make("h3", {}, "What else could have come in place of ", make("code", {}, visible(token.text))),
      make("ul", { class: "bars" },
        all.map((each) => bar(goOn && !special(each.text)
          ? make("button", { type: "button", title: "Go on from here with this", onclick: () => goOn(before + token.before + each.text) }, visible(each.text))
          : make("code", {}, visible(each.text)), Math.exp(each.logprob), { is: each.text === token.text })),
        make("li", { class: "rest" }, ...bar("anything else", rest).childNodes)));
  }

  /** Stream a continuation into a place; returns its text, the last event and the state. */
  async function stream(signal, body, place, tokens) {
    foot.asking("generate", body);
    for (const stop of stops) stop.disabled = false;
    let last = {};
    try {
      const answer = await post("generate", body, signal);
      for await (const { event, data } of events(answer)) {
        if (event === "token") tokens.add(data);
        if (event === "refused") place.append(make("span", { class: "empty" }, data.detail));
        if (event === "sample") last = data;
      }
      foot.answered({ ...last, text: tokens.text, tokens: tokens.list.map(({ text, logprob, top }) => ({ text, logprob, top })) }, answer, `${plural(tokens.list.length, "token")} written`);
      return last;
    } finally {
      tokens.end();
      if (!signal.aborted) for (const stop of stops) stop.disabled = true;
    }
  }

  const body = (more) => ({ model: model.value, ...values(), seed: seed.value === "" ? newSeed() : Number(seed.value), logprobs: ALTERNATIVES, stream: true, return_state: true, ...more });

  const write = latest(async (signal, given, before, more) => {
    const tokens = new Tokens((token) => tell(token, before, (text) => write(text, text, {})));
    choices.hidden = true;
    show(out, make("span", { class: "given" }, before), tokens.node);
    $("generate-more").disabled = true;
    try {
      const last = await stream(signal, body({ prompt: given, ...more }), out, tokens);
      written = { text: before + tokens.text, state: last.state };
      $("generate-more").disabled = !last.state || last.finish_reason === "end";
      foot.status.append(make("span", { class: "unseen" }, ` ${tokens.text}`),
        last.finish_reason === "end" ? " The model ended the text." : "", seed.value === "" ? make("span", {}, " A random seed; it is in the code below.") : "");
    } catch (error) {
      foot.failed(error, () => write(given, before, more));
    }
  });

  function empty() {
    show(out, make("p", { class: "empty" }, "Press Write, and the model goes on from your beginning. Bluer words surprised it more."));
  }

  function startTalk() {
    talk = { turns: 0, state: null, cut: false };
    show(log, make("p", { class: "empty" }, "Tell it your name, say other things, and then ask for it.",
      !CONVERSES.test(model.value) && ` ${model.value} learned from running text, not from conversations: do not expect sense.`));
    $("talk-state").textContent = "";
    choices.hidden = true;
  }

  const answer = latest(async (signal, text) => {
    if (!talk.turns) show(log);
    const tokens = new Tokens((token) => tell(token, "", null)), bubble = make("div", { class: "turn bot" }, make("span", { class: "unseen" }, "The model: "), tokens.node);
    log.append(make("div", { class: "turn user" }, make("span", { class: "unseen" }, "You: "), text), bubble);
    log.scrollTop = log.scrollHeight;
    try {
      // Behind a stop string, or the end of a text, a new turn begins; an answer that was cut needs its line break first.
      const given = `${talk.cut ? "\n" : ""}User: ${text}\nBot:`;
      const last = await stream(signal, body({ prompt: given, stop: ["\n"], max_tokens: Math.min(TURN_TOKENS, Number(sliders.max_tokens.max)), ...(talk.state ? { state: talk.state } : {}) }), bubble, tokens);
      if (!tokens.text.trim()) bubble.append(make("em", {}, "(it says nothing)"));
      talk = { turns: talk.turns + 1, state: last.state ?? talk.state, cut: last.finish_reason === "length" };
      if (talk.state) $("talk-state").textContent = `${plural(talk.turns, "turn")} so far. All that the model knows of them is its state of ${bytesOf(talk.state)} bytes; the next turn sends that state and not the conversation.`;
    } catch (error) {
      if (error.name === "AbortError") bubble.append(make("em", {}, " (stopped)"));
      foot.failed(error, () => { bubble.previousSibling.remove(); bubble.remove(); answer(text); });
    }
    log.scrollTop = log.scrollHeight;
  });

  /** Another model: fewer tokens, it may be; and one that converses says what is likeliest. */
  function suit() {
    const most = modelsOf("generate").find((card) => card.name === model.value).limits.max_target_tokens ?? 256;
    sliders.max_tokens.max = Math.min(256, most - (most % 8));
    sliders.temperature.value = CONVERSES.test(model.value) ? 0 : 0.7;
    for (const slider of Object.values(sliders)) slider.dispatchEvent(new Event("input"));
    startTalk();
    mode(CONVERSES.test(model.value) ? "talk" : "write");
  }

  function mode(which) {
    for (const radio of pane.querySelectorAll("[name=generate-mode]")) radio.checked = radio.value === which;
    $("generate-write").hidden = which !== "write";
    $("generate-talk").hidden = which !== "talk";
    choices.hidden = true;
  }

  const stop = () => {
    write.stop();
    answer.stop();
    for (const each of stops) each.disabled = true;
    foot.status.textContent = "Stopped.";
  };
  examples(prompt, { "a tale": "It was a dark night, and the old man", "a report": "The committee met on Tuesday to discuss", "a question": "Why do birds sing? Because" });
  if (!listModels(model, "generate", out, foot)) return;
  $("generate-go").addEventListener("click", () => write(prompt.value, prompt.value, {}));
  prompt.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) write(prompt.value, prompt.value, {}); });
  $("generate-more").addEventListener("click", () => write("", written.text, { state: written.state }));
  for (const each of stops) each.addEventListener("click", stop);
  $("talk-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!said.value.trim()) return;
    answer(said.value.trim());
    said.value = "";
  });
  $("talk-new").addEventListener("click", () => { answer.stop(); startTalk(); said.focus(); });
  pane.addEventListener("change", (event) => { if (event.target.name === "generate-mode") mode(event.target.value); });
  model.addEventListener("change", suit);
  prompt.value = prompt.value || "It was a dark night, and the old man";
  empty();
  suit();
}
