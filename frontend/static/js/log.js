import { announce, fresh } from "./once.js";

const KEEP_LINES = 5000;

// Follows a job's log by server-sent events. The browser reconnects by itself and names the last line it has;
// lines the page already shows are skipped, so nothing is missing and nothing is doubled.
export function followLogs(root) {
  for (const box of fresh(root, "[data-log]", "log")) {
    const pane = box.querySelector("[data-lines]");
    pane.scrollTop = pane.scrollHeight;
    if (box.hasAttribute("data-live") && box.dataset.stream) follow(box, pane);
  }
}

function follow(box, pane) {
  const freshness = box.querySelector("[data-fresh]");
  const pause = box.querySelector("[data-pause]");
  let [number, offset] = (box.dataset.after || "0-0").split("-").map(Number);
  let held = null;
  const say = (words, time) => { freshness.textContent = time ? `${pane.dataset[words]} ${time}` : pane.dataset[words]; };
  const source = new EventSource(box.dataset.stream, { withCredentials: true });

  const show = (line) => {
    const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
    append(pane, line);
    if (atEnd) pane.scrollTop = pane.scrollHeight;
    say("freshWords", clock(line.at));
  };
  source.addEventListener("open", () => say("waitingWords"));
  source.addEventListener("error", () => say("lostWords"));
  source.addEventListener("log", (event) => {
    const line = JSON.parse(event.data);
    if (line.number < number || (line.number === number && line.next_offset <= offset)) return;
    [number, offset] = [line.number, line.next_offset];
    if (held) held.push(line);
    else show(line);
  });
  source.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    announce(state.sentence ?? state.state);
    document.body.dispatchEvent(new CustomEvent("job-state", { detail: state }));
  });
  source.addEventListener("meter", (event) => {
    document.body.dispatchEvent(new CustomEvent("job-meter", { detail: JSON.parse(event.data) }));
  });
  source.addEventListener("end", () => {
    source.close();
    say("endedWords");
    if (pause) pause.hidden = true;
    document.body.dispatchEvent(new CustomEvent("job-state", { detail: {} }));
  });
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      const paused = held === null;
      pause.setAttribute("aria-pressed", String(paused));
      pause.textContent = paused ? pause.dataset.pausedLabel : pause.dataset.runningLabel;
      if (paused) {
        held = [];
        say("pausedWords");
        return;
      }
      const waiting = held;
      held = null;
      waiting.forEach(show);
      if (!waiting.length) say("waitingWords");
    });
  }
  addEventListener("pagehide", () => source.close(), { once: true });
}

function append(pane, line) {
  const row = document.createElement("span");
  const time = document.createElement("span");
  time.className = "t";
  time.textContent = `${clock(line.at)} `;
  row.append(time, line.text.endsWith("\n") ? line.text : `${line.text}\n`);
  pane.append(row);
  while (pane.childElementCount > KEEP_LINES) pane.firstElementChild.remove();
}

function clock(at) {
  return at ? new Date(at).toISOString().slice(11, 19) : "";
}
