// The store: a change of any control asks for the shelf anew; what the reader opened or scrolled stays as it was.
import { announce, fresh } from "./once.js";

const store = document.querySelector("[data-store]");
const kept = { folds: [], scroll: 0, offers: [] };

function decorate(root) {
  for (const hint of fresh(root, "[data-auto]", "auto")) hint.hidden = false;
  for (const button of fresh(root, "[data-go]", "go")) button.hidden = true;
  tellTray();
}

function chosen() {
  return [...document.querySelectorAll("input[name=offer][form=compare]:checked")];
}

function tellTray() {
  const tray = document.querySelector("[data-tray]");
  if (!tray) return;
  const boxes = chosen();
  const text = tray.querySelector("[data-tray-text]");
  const names = boxes.map((box) => box.closest("[data-offer]").querySelector(".tag")?.textContent ?? "·");
  tray.hidden = boxes.length === 0;
  tray.querySelector("button").disabled = boxes.length < 2;
  text.textContent = boxes.length < 2 ? text.dataset.none : `${text.dataset.some} ${names.join(", ")}`;
  const full = boxes.length >= 4;
  document.querySelectorAll("input[name=offer][form=compare]:not(:checked)").forEach((box) => { box.disabled = full; });
}

function changed(event) {
  const control = event.target;
  if (control.name === "offer") {
    tellTray();
    return;
  }
  if (control.form?.id !== "shop") return;
  const when = control.form.elements.namedItem("when");
  if (control.name.startsWith("w_") && when) when.remove();
  store.dispatchEvent(new CustomEvent("shop"));
}

function dragged(event) {
  if (event.target.id !== "f-share") return;
  const output = store.querySelector("[data-share]");
  output.textContent = `≥ ${Math.round(event.target.value * 100)}%`;
}

function remember() {
  kept.folds = [...store.querySelectorAll("details[id][open]")].map((fold) => fold.id);
  kept.scroll = store.querySelector("[data-keep-scroll]")?.scrollTop ?? 0;
  kept.offers = chosen().map((box) => box.value);
}

function restore() {
  for (const id of kept.folds) document.getElementById(id)?.setAttribute("open", "");
  const side = store.querySelector("[data-keep-scroll]");
  if (side) side.scrollTop = kept.scroll;
  for (const value of kept.offers) {
    const box = document.querySelector(`input[name=offer][value="${CSS.escape(value)}"]`);
    if (box) box.checked = true;
  }
  decorate(store);
}

function start() {
  decorate(document);
  store.addEventListener("change", changed);
  store.addEventListener("input", dragged);
  store.addEventListener("htmx:beforeSwap", remember);
  store.addEventListener("htmx:afterSwap", restore);
  store.addEventListener("htmx:afterSettle", () => announce(store.querySelector("[data-count]")?.textContent ?? ""));
}

if (store) start();
