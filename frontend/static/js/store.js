// The store: a change of any control asks for the shelf anew; what the reader opened or scrolled stays as it was.
import { announce, fresh } from "./once.js";

const MOST = 4;
const kept = { folds: [], scroll: 0, offers: [] };
const shelf = () => document.querySelector("[data-store]");
const boxes = (state) => [...document.querySelectorAll(`input[name=offer][form=compare]${state}`)];

function decorate(root) {
  for (const hint of fresh(root, "[data-auto]", "auto")) hint.hidden = false;
  for (const button of fresh(root, "[data-go]", "go")) button.hidden = true;
  tellTray();
}

// The tray appears with the first tick and opens from the second on.
function tellTray() {
  const tray = document.querySelector("[data-tray]");
  if (!tray) return;
  const chosen = boxes(":checked");
  const text = tray.querySelector("[data-tray-text]");
  tray.hidden = chosen.length === 0;
  tray.querySelector("button").disabled = chosen.length < 2;
  text.textContent = chosen.length < 2 ? text.dataset.none : `${text.dataset.some} ${chosen.length}`;
  boxes(":not(:checked)").forEach((box) => { box.disabled = chosen.length >= MOST; });
}

function changed(event) {
  const control = event.target;
  if (control.form?.id === "compare") tellTray();
  if (control.form?.id !== "shop") return;
  // Cheapest and greenest rank by weights of their own; moving a weight takes the reader's own again.
  if (control.name.startsWith("w_")) control.form.elements.namedItem("when")?.remove();
  shelf()?.dispatchEvent(new CustomEvent("shop"));
}

function dragged(event) {
  if (event.target.id !== "f-share") return;
  document.querySelector("[data-share]").textContent = `≥ ${Math.round(event.target.value * 100)}%`;
}

function remember() {
  const store = shelf();
  kept.folds = [...store.querySelectorAll("details[id][open]")].map((fold) => fold.id);
  kept.scroll = store.querySelector("[data-keep-scroll]")?.scrollTop ?? 0;
  kept.offers = boxes(":checked").map((box) => box.value);
}

// A ticked offer whose row is on another page now stays chosen.
function stillChosen(offer) {
  const box = document.createElement("input");
  Object.assign(box, { type: "checkbox", name: "offer", value: offer, checked: true, hidden: true });
  box.setAttribute("form", "compare");
  return box;
}

function restore() {
  for (const id of kept.folds) document.getElementById(id)?.setAttribute("open", "");
  const side = document.querySelector("[data-keep-scroll]");
  if (side) side.scrollTop = kept.scroll;
  boxes("").forEach((box) => { box.checked = kept.offers.includes(box.value); });
  const gone = kept.offers.filter((offer) => !document.getElementById(offer));
  document.querySelector("[data-tray]")?.append(...gone.map(stillChosen));
  decorate(document);
  announce(document.querySelector("[data-count]")?.textContent ?? "");
}

decorate(document);
document.addEventListener("change", changed);
document.addEventListener("input", dragged);
document.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.target === shelf()) remember(); });
document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target === shelf()) restore(); });
document.addEventListener("htmx:historyRestore", () => decorate(document));
