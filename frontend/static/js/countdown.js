import { announce } from "./once.js";

// Ticks down what the server wrote; the last minute is said once, every tick is not.
const clocks = [...document.querySelectorAll("[data-countdown]")];

function tick() {
  for (const clock of clocks) {
    const left = Math.max(0, Math.floor((Date.parse(clock.dataset.countdown) - Date.now()) / 1000));
    const text = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : clock.dataset.over;
    if (left === 60 || (left === 0 && clock.textContent !== text)) announce(text);
    clock.textContent = text;
  }
}

if (clocks.length) {
  tick();
  setInterval(tick, 1000);
}
