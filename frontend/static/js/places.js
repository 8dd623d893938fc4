// On a phone the bar of places may be wider than the screen: the place one is at stands in its middle.
export function showPlace() {
  const here = document.querySelector(".mobnav.wide [aria-current]");
  if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;
}
