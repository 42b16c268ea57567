// The page /rejected: dead letters by reason, with what was wrong and the bytes that came.

import * as api from "./api.js";
import { element, redraw } from "./elements.js";
import { sayTrouble } from "./notices.js";
import { count } from "./numbers.js";
import { chosenSite } from "./site_choice.js";

const PAUSE = 10_000; // ms

const at = (id) => document.getElementById(id);

let reason = null;
let timer = 0;
let turn = 0;

async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  try {
    const site = await chosenSite(() => choose(null));
    const answer = site ? await api.deadLetters(site, reason) : { reasons: [], letters: [] };
    if (mine !== turn) return;
    draw(answer);
    at("trouble").hidden = true;
  } catch (error) {
    if (mine !== turn) return;
    sayTrouble(at("trouble"), error, null);
  }
  if (!document.hidden) timer = setTimeout(refresh, PAUSE);
}

function choose(chosen) {
  reason = chosen;
  refresh();
}

function draw({ reasons, letters }) {
  const list = at("letters");
  const open = new Set([...list.querySelectorAll("details[open]")].map(({ dataset }) => dataset.value));
  const total = reasons.reduce((sum, each) => sum + each.letters, 0);
  const all = reasons.length > 1 ? [reasonButton(null, "all", total)] : [];
  redraw(at("reasons"), ...all, ...reasons.map((each) => reasonButton(each.reason, each.reason, each.letters)));
  redraw(list, ...(letters.length ? letters.map((letter) => entry(letter, open)) : [nothing()]));
  list.setAttribute("aria-busy", "false");
  at("said").textContent = `${count(letters.length)} shown`;
}

const nothing = () => element("li", { class: "nothing" }, "Nothing was refused in the last 7 days.");

const reasonButton = (name, words, letters) =>
  element(
    "button",
    { type: "button", class: "reason", "data-value": JSON.stringify(name), "aria-pressed": String(name === reason) },
    words,
    " ",
    element("b", {}, count(letters)),
  );

const keyOf = (letter) => JSON.stringify([letter.landed_at, letter.detail, letter.body]);

function entry(letter, open) {
  const received = new Date(letter.received_at ?? letter.landed_at);
  const key = keyOf(letter);
  const more = letter.body_length > letter.body.length ? `The first of ${count(letter.body_length)} bytes:` : "What came:";
  return element(
    "li",
    {},
    element(
      "details",
      { "data-value": key, open: open.has(key) },
      element(
        "summary",
        {},
        element("time", { datetime: received.toISOString() }, received.toLocaleString("en-GB")),
        element("b", {}, letter.reason),
        letter.field ? element("code", {}, letter.field) : null,
        element("span", { class: "what" }, letter.detail ?? ""),
        letter.replayed ? element("span", { class: "quiet-words" }, "sent again") : null,
      ),
      element("p", { class: "detail" }, letter.detail ?? ""),
      element("p", { class: "quiet-words" }, more),
      element("pre", { tabindex: 0 }, element("code", {}, letter.body)),
    ),
  );
}

at("reasons").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button) choose(JSON.parse(button.dataset.value));
});

document.addEventListener("visibilitychange", refresh);
refresh();
