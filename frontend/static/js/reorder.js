// One short move when the list is ranked anew, so that the eye can follow a row; none with reduced motion.
export function watchOrder() {
  let before = new Map();
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const places = () => [...document.querySelectorAll("[data-offer]")];
  document.addEventListener("htmx:beforeSwap", () => {
    before = new Map(places().map((row) => [row.dataset.offer, row.getBoundingClientRect().top]));
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (still.matches) return;
    for (const row of places()) {
      const shift = (before.get(row.dataset.offer) ?? NaN) - row.getBoundingClientRect().top;
      if (Math.abs(shift) > 2) {
        row.animate([{ transform: `translateY(${shift}px)` }, { transform: "none" }], { duration: 260, easing: "cubic-bezier(.2,.7,.2,1)" });
      }
    }
  });
}
