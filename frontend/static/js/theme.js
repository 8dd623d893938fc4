import { announce } from "./once.js";

// The theme form without a page load: the cookie is set by the same request, in the background.
export function watchTheme() {
  const form = document.querySelector("[data-theme-form]");
  form?.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button) return;
    event.preventDefault();
    const body = new FormData(form);
    body.set("theme", button.value);
    document.documentElement.dataset.theme = button.value;
    announce(button.getAttribute("aria-label"));
    form.querySelector(`[value=${button.value === "dark" ? "light" : "dark"}]`)?.focus();
    fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => form.submit());
  });
}
