// Who is here now: a number in the header, and on a click the last 30 minutes and the pages.

import * as api from "./api.js";
import { wordsOf } from "./dimensions.js";
import { element, redraw } from "./elements.js";
import { count } from "./numbers.js";

const PAUSE = 10_000; // ms

export function followRealtime(button, panel) {
  let site = null;
  let timer = 0;

  async function look() {
    clearTimeout(timer);
    if (!site || document.hidden) return;
    const asked = site;
    try {
      const answer = await api.realtime(asked);
      if (asked !== site) return;
      button.hidden = false;
      drawNow(button, answer.visitors["5m"]);
      drawMinutes(panel, answer);
    } catch {
      // The page says elsewhere that the API is away.
      button.hidden = true;
    }
    timer = setTimeout(look, PAUSE);
  }

  button.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    button.setAttribute("aria-expanded", String(!panel.hidden));
  });
  document.addEventListener("visibilitychange", look);
  return (domain) => {
    if (domain === site) return;
    site = domain;
    look();
  };
}

function drawNow(button, visitors) {
  redraw(
    button,
    element("span", { class: visitors ? "pulse" : "pulse still", "aria-hidden": "true" }),
    element("b", {}, count(visitors)),
    visitors === 1 ? " visitor now" : " visitors now",
  );
}

function drawMinutes(panel, { visitors, pageviews_by_minute: minutes, pages }) {
  const most = Math.max(1, ...minutes);
  const bars = minutes.map((views, index) => {
    const bar = element("span", { title: `${count(views)} views, ${minutes.length - 1 - index} min ago` });
    bar.style.setProperty("--share", `${(100 * views) / most}%`);
    return bar;
  });
  const views = minutes.reduce((sum, each) => sum + each, 0);
  redraw(
    panel,
    element("h2", { id: "realtime-title" }, "The last 30 minutes"),
    element("p", { class: "quiet-words" }, `${count(visitors["30m"])} visitors, ${count(views)} page views`),
    element("div", { class: "minutes", role: "img", "aria-label": `Page views by minute; at most ${count(most)}` }, ...bars),
    element("ol", { class: "now-pages" }, ...pages.map(pageLine)),
  );
}

const pageLine = ({ path, visitors }) =>
  element("li", {}, element("span", { class: "label" }, wordsOf("event:page", path)), element("b", { class: "number" }, count(visitors)));
