// Starts the behaviours a page asks for by data attributes. Every page works without any of them.
import { watchCalendars } from "./calendar.js";
import { watchCopies } from "./copy.js";
import { followLogs } from "./log.js";
import { watchMenus } from "./menu.js";
import { showPlace } from "./places.js";
import { watchOrder } from "./reorder.js";
import { watchTheme } from "./theme.js";
import { watchWeights } from "./weights.js";

const onEach = [watchCalendars, watchCopies, followLogs, watchWeights];

watchTheme();
watchMenus();
watchOrder();
showPlace();
for (const start of onEach) start(document);
document.addEventListener("htmx:load", (event) => {
  for (const start of onEach) start(event.detail.elt);
});
