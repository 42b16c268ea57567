// The row of headline numbers; choosing one puts it on the chart.

import { element, redraw, unseen } from "./elements.js";
import { change } from "./metrics.js";

const ARROWS = { 1: "↑", 0: "→", "-1": "↓" };
const NEWS = { 1: "good", 0: "even", "-1": "bad" };

export function drawHeadline(parent, { metrics, numbers, before, chosen, days, beforeSpan, isUnfinishedDay }, onChoose) {
  for (const tile of parent.querySelectorAll("[data-metric]")) {
    if (!(tile.dataset.metric in metrics)) tile.remove();
  }
  Object.entries(metrics).forEach(([name, metric], index) => {
    let tile = parent.querySelector(`[data-metric="${name}"]`);
    if (!tile) {
      parent.querySelector(".skeleton")?.remove();
      tile = element("button", { type: "button", class: "tile", "data-metric": name, onclick: () => onChoose(name) });
      parent.append(tile);
    }
    tile.setAttribute("aria-pressed", String(name === chosen));
    const value = numbers[index];
    const previous = before ? before[index] : null;
    const isSum = metric.isDailySum && days > 1;
    tile.title = isSum ? DAILY_SUM : "";
    redraw(
      tile,
      element("span", { class: "tile-label" }, metric.label),
      element("span", { class: "tile-value", title: metric.exact(value) }, metric.read(value)),
      isUnfinishedDay && before && metric.isCount ? wholeDay(metric, previous, beforeSpan) : changeOf(metric, value, previous, beforeSpan),
    );
  });
}

export const DAILY_SUM =
  "Visitors are counted anew each day, because without cookies nobody is known the next day: " +
  "over several days a person counts once for each, unless signed in.";

// Half a day against a whole one is no change to speak of.
const wholeDay = (metric, previous, beforeSpan) =>
  element("span", { class: "tile-change even", title: `Of the whole day, ${beforeSpan}` }, `${metric.read(previous)} on ${beforeSpan}`);

function changeOf(metric, value, previous, beforeSpan) {
  if (!beforeSpan) return null;
  const changed = change(metric, value, previous);
  if (changed === null) return element("span", { class: "tile-change even" }, "nothing to compare");
  const title = `${metric.exact(previous)} in ${beforeSpan}`;
  return element(
    "span",
    { class: `tile-change ${NEWS[changed.news]}`, title },
    element("span", { "aria-hidden": "true" }, `${ARROWS[changed.direction]} `),
    unseen(`${changed.words} `),
    changed.text,
  );
}
