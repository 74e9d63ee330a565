// The current pair on the screen, and what was said of those before. An entry is {id, answer, reviewer, date}; `answer`: copy, apart, skip.

const STORE = `dermlab-pairs:${content.digest}`;
const nameOf = (pair) => `${pair.first.image_id},${pair.second.image_id}`;
const WHY = [
  ["In two splits", "A training photo that looks like one of the validation or test set: the model would be tested on what it has seen."],
  ["Both in val or test", "Both are of the validation or test set; nothing is trained on either."],
  ["Two labels", "Two training photos that look the same bear different labels."],
  ["Twice in training", "Two training photos that look the same."],
];

function load() {
  const asked = new Set(content.pairs.map(nameOf));
  loadEntries(STORE, (entry) => asked.has(entry.id) && ["copy", "apart", "skip"].includes(entry.answer));
}

const current = () => content.pairs.find((pair) => !entries.some((entry) => entry.id === nameOf(pair)));

function said(photo) {
  return photo.label ? `training set: ${photo.label}` : `${photo.split === "val" ? "validation" : "test"} set, its label is frozen and not shown`;
}

function tally() {
  const count = { copy: 0, apart: 0, skip: 0 };
  for (const { answer } of entries) count[answer] += 1;
  return count;
}

function render() {
  const pair = current();
  const { copy, apart, skip } = tally();
  const words = `${copy} copies · ${apart} not copies · ${skip} skipped`;
  $("pair").hidden = document.querySelector("nav").hidden = !pair;
  $("done").hidden = Boolean(pair);
  $("unstored").hidden = stored;
  $("name-text").textContent = reviewer || "not named";
  $("count").textContent = `${Math.min(entries.length + 1, content.pairs.length)} of ${content.pairs.length} · ${words}`;
  $("progress").max = content.pairs.length;
  $("progress").value = entries.length;
  $("summary").textContent = `${words}.`;
  $("copies-said").hidden = !copy;
  if (!pair) return;
  const [name, text] = WHY[pair.why];
  $("issue").className = pair.why === 0 ? "leak" : "";
  $("why-name").textContent = name;
  $("why-text").textContent = `${text} Alike: ${pair.similarity.toFixed(2)} of 1.`;
  $("first-said").textContent = said(pair.first);
  $("second-said").textContent = said(pair.second);
  $("second").src = photoOf(pair.second.image_id);
  blink(false);
}

function blink(over) {
  const pair = current();
  $("blink").setAttribute("aria-pressed", over);
  $("first").src = photoOf((over ? pair.second : pair.first).image_id);
}

function answer(given) {
  const pair = current();
  if (!pair) return;
  entries.push({ id: nameOf(pair), answer: given, reviewer, date: today() });
  unexported = true;
  const words = { copy: "A copy", apart: "Not a copy", skip: "Skipped" }[given];
  goOn(`${words}. U takes it back.`);
}

function undo() {
  const last = entries.pop();
  goOn(last ? "Taken back." : "Nothing to take back.");
}

// Focus leaves the button that was pressed, or the next space would press it again instead of skipping.
function goOn(text) {
  saveEntries(STORE);
  render();
  say(text);
  $(current() ? "pair" : "done").focus({ preventScroll: true });
}

function exportCsv() {
  const apart = entries.filter((entry) => entry.answer === "apart");
  if (!apart.length) return say("Nothing to export: no pair was told apart.");
  if (!reviewer && apart.some((entry) => !entry.reviewer)) return askName();
  download(csvOf(apart.map(({ id, reviewer: by, date }) => [...id.split(","), asMerged(by || reviewer), date])), "not-copies.csv");
  unexported = false;
  say(`${apart.length} pairs in not-copies.csv. Next: dermlab pairs --merge not-copies.csv`);
}

const ACTS = {
  copy: () => answer("copy"),
  apart: () => answer("apart"),
  skip: () => answer("skip"),
  blink: () => current() && blink($("blink").getAttribute("aria-pressed") === "false"),
  undo,
  export: exportCsv,
  help: () => $("help").showModal(),
  name: askName,
};
const KEYS = {
  c: "copy", n: "apart", b: "blink", " ": "skip", ArrowRight: "skip", u: "undo", ArrowLeft: "undo", e: "export", "?": "help",
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!(key in KEYS) || (key === " " && event.target.closest("button"))) return; // space presses what has the focus
  event.preventDefault();
  if (!event.repeat) ACTS[KEYS[key]](); // a key held down must not run through the pairs
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) ACTS[button.dataset.act]();
});
$("who").addEventListener("submit", () => {
  reviewer = plain($("reviewer").value);
  saveEntries(STORE);
  render();
});
addEventListener("storage", (event) => {
  if (event.key !== STORE) return;
  load(); // answered in another tab
  render();
});
addEventListener("beforeunload", (event) => {
  if (!stored && unexported) event.preventDefault();
});

load();
render();
if (!reviewer && content.pairs.length) askName();
