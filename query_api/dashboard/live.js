// The page /live: the latest events, looked for every two seconds.

import * as api from "./api.js";
import { wordsOf } from "./dimensions.js";
import { element, redraw } from "./elements.js";
import { sayTrouble } from "./notices.js";
import { chosenSite } from "./site_choice.js";

const PAUSE = 2_000; // ms
const EVENTS = 50;

const at = (id) => document.getElementById(id);

let timer = 0;
let turn = 0;
let isPaused = false;
let newest = null;

async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  try {
    const site = await chosenSite(refresh);
    const events = site ? await api.events(site, EVENTS) : [];
    if (mine !== turn) return;
    draw(site, events);
    at("trouble").hidden = true;
  } catch (error) {
    if (mine !== turn) return;
    sayTrouble(at("trouble"), error, null);
  }
  if (!isPaused && !document.hidden) timer = setTimeout(refresh, PAUSE);
}

function draw(site, events) {
  const list = at("events");
  const open = new Set([...list.querySelectorAll("details[open]")].map(({ dataset }) => dataset.value));
  redraw(list, ...(events.length ? events.map((event) => entry(event, open)) : [nothing(site)]));
  list.setAttribute("aria-busy", "false");
  const first = events[0]?.event_id ?? null;
  if (first && newest && first !== newest) at("said").textContent = `New: ${events[0].action} at ${timeOf(events[0])}`;
  newest = first;
}

const nothing = (site) =>
  element("li", { class: "nothing" }, site ? `Nothing has come from ${site} in the last half hour.` : "There is no site yet.");

const timeOf = ({ received_at: at }) => new Date(at).toLocaleTimeString("en-GB");

function entry(event, open) {
  const facts = Object.entries(event).filter(([, value]) => value !== null);
  return element(
    "li",
    {},
    element(
      "details",
      { "data-value": event.event_id, open: open.has(event.event_id) },
      element(
        "summary",
        {},
        element("time", { datetime: event.received_at }, timeOf(event)),
        element("b", {}, event.action),
        element("span", { class: "what" }, event.url ?? [event.subject_type, event.subject_id].filter(Boolean).join(" ")),
        element("span", { class: "quiet-words" }, event.country ? wordsOf("visit:country", event.country) : ""),
      ),
      element("dl", {}, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, wordsFor(value))])),
    ),
  );
}

const wordsFor = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

at("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  at("pause").setAttribute("aria-pressed", String(isPaused));
  if (!isPaused) refresh();
});

document.addEventListener("visibilitychange", refresh);
refresh();
