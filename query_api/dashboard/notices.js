// What the page says when there are no numbers to show, and when something is wrong.

import { spanText } from "./days.js";
import { element, redraw } from "./elements.js";

export function sayNothing(parent) {
  parent.hidden = true;
  parent.replaceChildren();
}

function say(parent, title, ...children) {
  parent.hidden = false;
  redraw(parent, element("h2", {}, title), ...children);
}

export function sayDataElsewhere(parent, site, range, data, onGo) {
  // Redrawn only when it says something else, so that the button keeps the focus.
  const said = JSON.stringify([site, range, data]);
  if (!parent.hidden && parent.dataset.said === said) return;
  parent.dataset.said = said;
  say(
    parent,
    "No data in this range",
    element(
      "p",
      {},
      `${site} has data from ${data.first} to ${data.last}; you are looking at ${spanText(range.first, range.last)}.`,
    ),
  );
  const words = `Show ${spanText(data.first, data.last)}`;
  parent.append(element("button", { type: "button", class: "go", onclick: onGo }, words));
}

export function sayWaiting(parent, site) {
  say(
    parent,
    `Waiting for the first event of ${site}`,
    element(
      "p",
      {},
      "Paste the line below into your pages and open one. " +
        "The numbers appear here by themselves, within two minutes of the first event.",
    ),
  );
}

export function sayNoSite(parent) {
  say(
    parent,
    "No site yet",
    element(
      "p",
      {},
      "Sites are listed in sites.toml in Logektor's home, and `logektor import` adds the one it imports. " +
        "This page shows a new site by itself.",
    ),
  );
}

export function sayTrouble(parent, error, lastGood) {
  const since = lastGood ? ` The numbers are those of ${lastGood.toLocaleTimeString("en-GB")}.` : "";
  const words =
    error.status === 401
      ? "This browser is no longer let in. Run `logektor status` and open the dashboard link it prints."
      : `${error.message}${since} Trying again by itself.`;
  parent.hidden = false;
  if (parent.textContent !== words) parent.textContent = words;
}
