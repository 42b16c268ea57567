// A site without an event: the line to paste, and a look every two seconds at whether something has come.

import * as api from "./api.js";
import { titleOf, wordsOf } from "./dimensions.js";
import { element, redraw } from "./elements.js";
import { drawSnippet, listenToCopy, makeCopy } from "./snippet.js";

const PAUSE = 2_000; // ms

let timer = 0;
let watched = null;

export function stopFirstRun(parent) {
  clearTimeout(timer);
  watched = null;
  parent.hidden = true;
}

// mayWatch: whether this browser may see single events.
export function showFirstRun(parent, site, mayWatch) {
  if (watched === site.domain) return;
  clearTimeout(timer);
  watched = site.domain;
  const status = element("div", { class: "status", role: "status" });
  const copy = makeCopy();
  listenToCopy(copy);
  drawSnippet(copy, site.snippet);
  redraw(
    parent,
    element("h2", { id: "first-run-title" }, `Waiting for the first event of ${site.domain}`),
    element(
      "ol",
      {},
      element("li", {}, "Paste this line into every page, before ", element("code", {}, "</head>"), ":", copy),
      element("li", {}, "Open one of the pages in a browser."),
      element("li", {}, "The event is seen here seconds later, the numbers within two minutes."),
    ),
    status,
  );
  parent.hidden = false;
  if (mayWatch) watch(parent, status, site.domain);
}

async function watch(parent, status, domain) {
  let words = [element("span", { class: "pulse", "aria-hidden": "true" }), "Listening …"];
  try {
    const [event] = await api.events(domain, 1);
    if (watched !== domain) return;
    if (event) words = itWorks(event);
    if (event) parent.querySelector("h2").textContent = "It works";
  } catch (error) {
    words = [error.message];
  }
  if (watched !== domain) return;
  redraw(status, ...words);
  timer = setTimeout(() => watch(parent, status, domain), PAUSE);
}

// Of which kind, and which one.
const words = (type, id) => [type, id].filter(Boolean).join(" ");

function itWorks(event) {
  const facts = [
    ["Who", words(event.object_type, event.object_id)],
    ["Did", event.action],
    ["What", words(event.subject_type, event.subject_id)],
    [titleOf("event:page"), event.url],
    ["Title", event.title],
    [titleOf("visit:referrer"), event.referrer],
    [titleOf("visit:country"), event.country && wordsOf("visit:country", event.country)],
    ["Received", new Date(event.received_at).toLocaleTimeString("en-GB")],
  ];
  const known = facts.filter(([, value]) => value);
  return [
    element("p", { class: "works" }, "The first event has arrived. The numbers follow within two minutes."),
    element("dl", {}, ...known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    element("p", {}, element("a", { href: `/live?site=${encodeURIComponent(event.site ?? watched)}` }, "See every event as it comes")),
  ];
}
