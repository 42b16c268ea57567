// The controls of the top: site, range, comparison and the chart's unit; they show the view and change it.

import { isDay } from "./days.js";
import { element, redraw } from "./elements.js";
import { shifted, unitsOf } from "./ranges.js";

const at = (id) => document.getElementById(id);

export function drawSites(sites, site) {
  redraw(at("site"), ...sites.map(({ domain }) => element("option", { value: domain, selected: domain === site?.domain }, domain)));
  at("site").value = site?.domain ?? "";
  document.title = site ? `${site.domain} · Logektor` : "Logektor";
  for (const link of at("links").querySelectorAll("a")) {
    link.search = site ? new URLSearchParams({ site: site.domain }) : "";
  }
}

export function drawControls({ choice, range, today, comparison, unit }) {
  document.querySelector(`#range [value="${choice}"]`).checked = true;
  at("dates").hidden = choice !== "custom";
  for (const [id, day] of [["from", range.first], ["to", range.last]]) {
    if (document.activeElement !== at(id)) at(id).value = day;
    at(id).max = today;
  }
  at("earlier").disabled = choice === "all";
  at("later").disabled = choice === "all" || range.last >= today;
  at("comparison").value = comparison;
  at("comparison").disabled = choice === "all";
  redraw(at("unit"), ...unitsOf(range).map((name) => element("option", { value: name, selected: name === unit }, `by ${name}`)));
  at("unit").value = unit;
}

// shown: answers what is on the page; choose(changes): shows something else.
export function listenToControls(shown, choose) {
  at("site").addEventListener("change", ({ target }) => choose({ site: target.value, filters: [] }));
  at("comparison").addEventListener("change", ({ target }) => choose({ comparison: target.value }));
  at("unit").addEventListener("change", ({ target }) => choose({ unit: target.value }));
  at("range").addEventListener("submit", (event) => event.preventDefault());
  at("range").addEventListener("change", ({ target }) => {
    if (target.name === "range") {
      if (target.value !== "custom") return choose({ choice: target.value, from: null, to: null });
      const { first, last } = shown()?.range ?? {};
      return first && choose({ choice: "custom", from: first, to: last });
    }
    const days = [at("from").value, at("to").value];
    if (!target.closest("#dates") || !days.every(isDay)) return;
    const [from, to] = days.sort();
    choose({ choice: "custom", from, to });
  });
  for (const [id, steps] of [["earlier", -1], ["later", 1]]) {
    at(id).addEventListener("click", () => {
      if (!shown()) return;
      const { first, last } = shifted(shown().range, steps);
      choose({ choice: "custom", from: first, to: last });
    });
  }
}
