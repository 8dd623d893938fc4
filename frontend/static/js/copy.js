import { announce, fresh } from "./once.js";

// A copy button appears only where the browser can copy.
export function watchCopies(root) {
  if (!navigator.clipboard) return;
  for (const box of fresh(root, "[data-copybox]", "copy")) {
    const button = box.querySelector("[data-copy]");
    const word = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector(".code").textContent.trim());
      button.textContent = button.dataset.copied;
      announce(button.dataset.copied);
      setTimeout(() => { button.textContent = word; }, 1600);
    });
  }
}
