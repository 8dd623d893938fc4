// A menu closes on Escape, on a click beside it and when the focus leaves it.
export function watchMenus() {
  const close = (menu, focus) => {
    menu.open = false;
    if (focus) menu.querySelector("summary").focus();
  };
  const opened = () => document.querySelectorAll("[data-menu][open]");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") opened().forEach((menu) => close(menu, menu.contains(document.activeElement)));
  });
  document.addEventListener("click", (event) => {
    opened().forEach((menu) => menu.contains(event.target) || close(menu, false));
  });
  document.addEventListener("focusin", (event) => {
    opened().forEach((menu) => menu.contains(event.target) || close(menu, false));
  });
}
