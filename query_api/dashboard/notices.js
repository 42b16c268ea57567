// What the page says when there are no numbers to show, and when something is wrong.

import { spanText } from "./days.js";
import { element, redraw } from "./elements.js";

export function sayNothing(parent) {
  parent.hidden = true;
  parent.replaceChildren();
  delete parent.dataset.said;
}

function say(parent, title, ...children) {
  parent.hidden = false;
  redraw(parent, element("h2", {}, title), ...children);
}

const button = (words, onclick) => element("button", { type: "button", class: "go", onclick }, words);

// Drawn again only when it says something else, so that its button keeps the focus.
function isSaid(parent, ...words) {
  const said = JSON.stringify(words);
  if (!parent.hidden && parent.dataset.said === said) return true;
  parent.dataset.said = said;
  return false;
}

export function sayDataElsewhere(parent, site, range, data, onGo) {
  if (isSaid(parent, "elsewhere", site, range, data)) return;
  const has = `${site} has data from ${data.first} to ${data.last}`;
  say(
    parent,
    "No data in this range",
    element("p", {}, `${has}; you are looking at ${spanText(range.first, range.last)}.`),
    button(`Show ${spanText(data.first, data.last)}`, onGo),
  );
}

export function sayNothingMatches(parent, onClear) {
  if (isSaid(parent, "nothing matches")) return;
  say(
    parent,
    "Nothing matches these filters",
    element("p", {}, "There are numbers in this range, but none that meet all of them."),
    button("Clear the filters", onClear),
  );
}

export function sayNoSite(parent) {
  delete parent.dataset.said;
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
