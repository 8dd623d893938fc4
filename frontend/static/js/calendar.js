import { announce, fresh } from "./once.js";

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

// Arrow keys walk over the hours, one stop in the tab order; the layer changes in place.
export function watchCalendars(root) {
  for (const table of fresh(root, "[data-calendar]", "calendar")) {
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].slice(1));
    const links = [...table.querySelectorAll("td a")];
    if (!links.length) continue;
    const rove = (link) => links.forEach((other) => { other.tabIndex = other === link ? 0 : -1; });
    rove(table.querySelector("a[aria-current]") ?? links[0]);
    table.addEventListener("keydown", (event) => step(event, rows, rove));
    table.addEventListener("focusin", (event) => event.target.matches("a") && rove(event.target));
    watchReadout(table);
    watchLayers(table);
  }
}

function step(event, rows, rove) {
  const move = MOVES[event.key];
  const cell = event.target.closest("td");
  if (!move || !cell) return;
  event.preventDefault();
  const y = rows.findIndex((row) => row.includes(cell));
  let [row, column] = [y + move[0], rows[y].indexOf(cell) + move[1]];
  while (rows[row]?.[column]) {
    const link = rows[row][column].querySelector("a");
    if (link?.offsetParent) {
      rove(link);
      link.focus();
      return;
    }
    row += move[0];
    column += move[1];
  }
}

function watchReadout(table) {
  const readout = document.querySelector("[data-calendar-readout]");
  if (!readout) return;
  const show = (event) => {
    const cell = event.target.closest?.("td");
    const text = cell?.querySelector("a")?.getAttribute("aria-label") ?? cell?.textContent.trim();
    if (text) readout.textContent = text;
  };
  table.addEventListener("mouseover", show);
  table.addEventListener("focusin", show);
}

function watchLayers(table) {
  const chooser = document.querySelector("[data-calendar-layers]");
  chooser?.addEventListener("click", (event) => {
    const link = event.target.closest("[data-key]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const layer = link.dataset.key;
    table.dataset.layer = layer;
    chooser.querySelectorAll("[data-key]").forEach((other) => {
      if (other === link) other.setAttribute("aria-current", "true");
      else other.removeAttribute("aria-current");
    });
    table.querySelectorAll("[data-best-carbon]").forEach((best) => { best.textContent = best.getAttribute(`data-best-${layer}`); });
    document.querySelectorAll("[data-layer-key]").forEach((key) => { key.hidden = key.dataset.layerKey !== layer; });
    history.replaceState(history.state, "", link.href);
    announce(link.textContent.trim());
  });
}
