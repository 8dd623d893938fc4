// A problem's link goes to its line in the job file itself; without script it goes to the excerpt.
for (const link of document.querySelectorAll("a[data-line]")) {
  link.addEventListener("click", (event) => {
    const file = document.getElementById("job-file");
    if (!file) return;
    event.preventDefault();
    const lines = file.value.split("\n");
    const index = Math.min(Number(link.dataset.line), lines.length) - 1;
    const start = lines.slice(0, index).reduce((sum, line) => sum + line.length + 1, 0);
    file.focus();
    file.setSelectionRange(start, start + lines[index].length);
    file.scrollTop = Math.max(0, (index - 3) * parseFloat(getComputedStyle(file).lineHeight));
  });
}
