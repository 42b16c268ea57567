// The site that a page of single events shows: it stands in the address, and its links carry it on.

import * as api from "./api.js";
import { element, redraw } from "./elements.js";

const at = (id) => document.getElementById(id);

// Answers the site's domain, or null where there is none; onChange() follows another choice.
export async function chosenSite(onChange) {
  const domains = (await api.sites()).map(({ domain }) => domain);
  const asked = new URLSearchParams(location.search).get("site");
  const site = domains.includes(asked) ? asked : (domains[0] ?? null);
  redraw(at("site"), ...domains.map((domain) => element("option", { value: domain, selected: domain === site }, domain)));
  at("site").value = site ?? "";
  at("site").onchange = ({ target }) => {
    history.replaceState(null, "", `${location.pathname}?${new URLSearchParams({ site: target.value })}`);
    onChange();
  };
  for (const link of document.querySelectorAll("#links a, #home")) link.search = new URLSearchParams({ site });
  return site;
}
