// Create and update elements. Text always becomes text nodes, never markup, because names of photos
// are untrusted.

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Write only what has changed, so that selections, focus and screen readers are not disturbed.
export function setText(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

export function setAttribute(node, name, value) {
  const wanted = value === null ? null : String(value);
  if (node.getAttribute(name) === wanted) return;
  if (wanted === null) node.removeAttribute(name);
  else node.setAttribute(name, wanted);
}

export const byId = (id) => document.getElementById(id);
