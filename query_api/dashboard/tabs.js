// Tabs: one is chosen, the arrow keys go to the next.

import { element } from "./elements.js";

export function makeTabs(name, titles, label, onChoose) {
  const tabs = titles.map((title, index) =>
    element(
      "button",
      {
        type: "button",
        role: "tab",
        id: `${name}-tab-${index}`,
        "aria-controls": `${name}-panel`,
        onclick: () => choose(index),
      },
      title,
    ),
  );
  const list = element("div", { class: "tabs", role: "tablist", "aria-label": label, onkeydown: move }, ...tabs);

  function choose(chosen) {
    mark(chosen);
    onChoose(chosen);
  }

  function mark(chosen) {
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
    });
  }

  function move(event) {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    tabs[next].focus();
    choose(next);
  }

  mark(0);
  return list;
}
