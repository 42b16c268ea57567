// Builds elements; texts are never read as HTML.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...present(children));
  return made;
}

const present = (children) => children.filter((child) => child !== null && child !== undefined);

export const unseen = (words) => element("span", { class: "unseen" }, words);

// Puts other children in only where they differ, so that a refresh neither flickers nor takes the focus away.
export function redraw(parent, ...children) {
  const fresh = parent.cloneNode(false);
  fresh.append(...present(children));
  if (fresh.isEqualNode(parent)) return;
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.value : undefined;
  parent.replaceChildren(...fresh.childNodes);
  if (focused === undefined) return;
  const again = [...parent.querySelectorAll("[data-value]")].find(({ dataset }) => dataset.value === focused);
  again?.focus();
}
