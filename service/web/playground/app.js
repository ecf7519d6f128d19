// Starts the page: models, tabs, theme.
import { $, make, show, tabs } from "./dom.js";
import { base, get } from "./api.js";
import { askForKey, served } from "./pane.js";
import { tagPane } from "./tag.js";
import { classifyPane } from "./classify.js";
import { translatePane } from "./translate.js";
import { generatePane } from "./generate.js";
import { insidePane } from "./inside.js";

const PANES = { tag: tagPane, classify: classifyPane, translate: translatePane, generate: generatePane, inside: insidePane };
const opened = new Set();

/** Ask for the models until they are there; say what is waited for. */
async function findModels() {
  for (;;) {
    try {
      served.push(...(await get("models")).models);
      return show($("banner"));
    } catch (error) {
      await new Promise((go) => {
        if (error.status === 401) return show($("banner"), askForKey(error.message, go));
        show($("banner"), make("p", {}, error.message), make("button", { type: "button", onclick: go }, "Try again"));
        if (error.retry || error.status === 0) setTimeout(go, 1000 * Math.min(error.retry ?? 3, 10));
      });
    }
  }
}

function open(tab) {
  const name = tab.getAttribute("aria-controls");
  for (const each of Object.keys(PANES)) $(each).hidden = each !== name;
  history.replaceState(null, "", `#${name}`);
  document.title = `Ribbon: ${tab.textContent}`;
  if (!opened.has(name)) {
    opened.add(name);
    PANES[name]();
  }
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
}

const THEMES = ["system", "light", "dark"];
function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Theme: ${theme}`;
}

function startTheme() {
  let theme = "system";
  try { theme = THEMES.find((each) => each === localStorage.getItem("theme")) ?? theme; } catch { /* storage may be off */ }
  applyTheme(theme);
  $("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    applyTheme(theme);
    try { localStorage.setItem("theme", theme); } catch { /* it holds until the page is closed */ }
  });
}

startTheme();
$("host").textContent = base.host;
await findModels();
const list = document.querySelector(".tabs"), choose = tabs(list, open);
list.hidden = false;
const wanted = () => $(`tab-${location.hash.slice(1)}`) ?? $("tab-tag");
addEventListener("hashchange", () => choose(wanted()));
choose(wanted());
