// Elements of `root` (itself included) that match and were not started before under this name.
export function fresh(root, selector, name) {
  const found = [...root.querySelectorAll(selector)];
  if (root.matches?.(selector)) found.unshift(root);
  const key = `on_${name}`;
  return found.filter((element) => {
    if (element[key]) return false;
    element[key] = true;
    return true;
  });
}

// Says a sentence to screen readers without moving the focus.
export function announce(text) {
  const region = document.querySelector("[data-announce]");
  if (region) region.textContent = text;
}
