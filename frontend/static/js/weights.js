import { fresh } from "./once.js";

// Three sliders that share 100: moving one scales the other two. The map's marker sets all three by pointer.
const NAMES = ["w_price", "w_latency", "w_green"];
const CORNERS = [[10, 184], [242, 184], [126, 18]];
const LEAST_PRICE = 5;

export function watchWeights(root) {
  for (const box of fresh(root, "[data-weights]", "weights")) {
    const sliders = NAMES.map((name) => box.querySelector(`[name=${name}]`));
    if (sliders.some((slider) => !slider)) continue;
    sliders.forEach((slider, moved) => {
      slider.addEventListener("input", () => share(sliders, moved));
    });
    const map = box.querySelector(".tri svg");
    if (map) watchMap(map, sliders);
  }
}

function share(sliders, moved) {
  const rest = 100 - Number(sliders[moved].value);
  const others = [0, 1, 2].filter((index) => index !== moved);
  const sum = others.reduce((total, index) => total + Number(sliders[index].value), 0);
  const first = sum ? Math.round((rest * Number(sliders[others[0]].value)) / sum) : Math.round(rest / 2);
  sliders[others[0]].value = first;
  sliders[others[1]].value = rest - first;
  tell(sliders);
}

function tell(sliders) {
  for (const slider of sliders) {
    const output = slider.closest(".wt")?.querySelector("output");
    if (output) output.textContent = `${slider.value}%`;
  }
}

function watchMap(map, sliders) {
  let dragging = false;
  const set = (event) => {
    const box = map.getBoundingClientRect();
    const weights = weightsAt(((event.clientX - box.left) / box.width) * 252, ((event.clientY - box.top) / box.height) * 206);
    sliders.forEach((slider, index) => { slider.value = weights[index]; });
    tell(sliders);
    const [x, y] = [0, 1].map((axis) => CORNERS.reduce((sum, corner, index) => sum + (corner[axis] * weights[index]) / 100, 0));
    map.querySelectorAll(".knob circle").forEach((circle) => { circle.setAttribute("cx", x); circle.setAttribute("cy", y); });
  };
  map.addEventListener("pointerdown", (event) => { dragging = true; map.setPointerCapture(event.pointerId); set(event); });
  map.addEventListener("pointermove", (event) => dragging && set(event));
  map.addEventListener("pointerup", () => {
    dragging = false;
    sliders[0].dispatchEvent(new Event("change", { bubbles: true }));
  });
  map.addEventListener("pointercancel", () => { dragging = false; });
}

// Barycentric coordinates, kept inside the triangle, as whole per cent with at least 5 for price.
function weightsAt(x, y) {
  const [a, b, c] = CORNERS;
  const area = (b[1] - c[1]) * (a[0] - c[0]) + (c[0] - b[0]) * (a[1] - c[1]);
  const price = ((b[1] - c[1]) * (x - c[0]) + (c[0] - b[0]) * (y - c[1])) / area;
  const latency = ((c[1] - a[1]) * (x - c[0]) + (a[0] - c[0]) * (y - c[1])) / area;
  const inside = [price, latency, 1 - price - latency].map((weight) => Math.max(0, weight));
  const sum = inside.reduce((total, weight) => total + weight, 0) || 1;
  const whole = inside.map((weight) => Math.round((weight / sum) * 100));
  if (whole[0] < LEAST_PRICE) {
    whole[whole[1] > whole[2] ? 1 : 2] -= LEAST_PRICE - whole[0];
    whole[0] = LEAST_PRICE;
  }
  whole[2] = 100 - whole[0] - whole[1];
  return whole;
}
