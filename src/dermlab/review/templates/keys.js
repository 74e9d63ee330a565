// Keys, buttons and dialogs: every way to decide is one entry of ACTS.

const ACTS = {
  keep: (card) => settle(card, card.given),
  suggestion: takeSuggestion,
  other: openPicker,
  drop: (card) => settle(card, content.drop),
  skip: (card) => settle(card, null),
  zoom: (card) => enlarge(card.image_id),
  reason: () => $("reason").focus(),
};
const ANYWHERE = {
  undo: takeBack,
  export: exportCsv,
  help: () => $("help").showModal(),
  name: askName,
  again,
  close: () => $("zoom").close(),
};
const KEYS = {
  k: "keep", s: "suggestion", o: "other", d: "drop", " ": "skip", ArrowRight: "skip", u: "undo", ArrowLeft: "undo", z: "zoom",
  r: "reason", e: "export", "?": "help",
};

function act(name) {
  const card = current();
  if (name in ANYWHERE) ANYWHERE[name]();
  else if (card) ACTS[name](card);
}

function takeSuggestion(card) {
  if (card.issue === "garbage") settle(card, content.drop);
  else if (card.suggested === card.given) say("The suggestion is the label given: K keeps it.");
  else settle(card, card.suggested);
}

function settle(card, to) {
  decide(card, to, $("reason").value);
  const done = to === null ? "Skipped" : to === content.drop ? "Dropped" : to === card.given ? `Kept as ${to}` : `Relabelled to ${to}`;
  goOn(`${done}. U takes it back.`);
}

function takeBack() {
  const last = undo();
  goOn(last ? "Taken back." : "Nothing to take back.");
}

function again() {
  askSkippedAgain();
  goOn("The skipped ones again.");
}

// Focus leaves the button that was pressed, or the next space would press it again instead of skipping.
function goOn(text) {
  render();
  const card = current();
  const place = `Photo ${entries.length + 1} of ${content.cards.length}`;
  say(card ? `${text} ${place}: ${card.given}, suggestion ${card.suggested}.` : `${text} The queue is done.`);
  $(card ? "card" : "done").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function exportCsv() {
  const lines = entries.filter((entry) => entry.to !== null).length;
  if (!lines) return say("Nothing to export yet.");
  if (!reviewer && entries.some((entry) => entry.to !== null && !entry.reviewer)) return askName();
  download(asCsv(), "decisions.csv");
  unexported = false;
  say(`${lines} decisions in decisions.csv. Next: dermlab review --merge decisions.csv`);
}

// `other` first, then the classes by name, and last the label given, which keeps it; names that begin with what was typed before those that contain it.
function matches(card, typed) {
  const others = content.classes.filter((name) => name !== card.given && name !== "other").sort();
  const names = [...(card.given === "other" ? others : ["other", ...others]), card.given];
  const asked = typed.trim().toLowerCase();
  const begins = names.filter((name) => name.toLowerCase().startsWith(asked));
  return [...begins, ...names.filter((name) => !begins.includes(name) && name.toLowerCase().includes(asked))];
}

let chosen = 0; // place in the list of the picker

function openPicker() {
  $("search").value = "";
  listClasses();
  $("picker").showModal();
  $("search").focus();
}

function listClasses() {
  const card = current();
  chosen = 0;
  const options = matches(card, $("search").value).map((name, place) => {
    const option = document.createElement("div");
    option.id = `option-${place}`;
    option.role = "option";
    option.textContent = name;
    option.addEventListener("click", () => pick(name));
    return option;
  });
  $("options").replaceChildren(...(options.length ? options : ["no class of this name"]));
  markChosen();
}

function markChosen() {
  [...$("options").children].forEach((option, place) => option.setAttribute("aria-selected", place === chosen));
  const option = $("options").children[chosen];
  option?.scrollIntoView({ block: "nearest" });
  $("search").setAttribute("aria-activedescendant", option?.id ?? "");
}

function pick(name) {
  $("picker").close();
  settle(current(), name);
}

function onPickerKey(event) {
  const options = $("options").children;
  if (event.key === "Enter") {
    event.preventDefault(); // the form would close the dialog
    if (options[chosen]) pick(options[chosen].textContent);
  } else if (options.length && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length;
    markChosen();
  }
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const open = document.querySelector("dialog[open]");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (open) {
    if (open.id === "zoom" && ["z", " "].includes(key)) {
      event.preventDefault(); // space would press the button around the photo
      open.close();
    }
    return;
  }
  if (event.target === $("light") && key.startsWith("Arrow")) return;
  if (event.target === $("reason")) {
    if (["Enter", "Escape"].includes(key)) $("card").focus({ preventScroll: true });
    return;
  }
  if (key === " " && event.target.closest("button, summary")) return; // space presses what has the focus
  if (!(key in KEYS)) return;
  event.preventDefault();
  if (!event.repeat) act(KEYS[key]); // a key held down must not run through the queue
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) act(button.dataset.act);
});
$("light").addEventListener("input", () => light($("light").value));
$("search").addEventListener("input", listClasses);
$("search").addEventListener("keydown", onPickerKey);
$("who").addEventListener("submit", () => {
  reviewer = plain($("reviewer").value);
  save();
  render();
});
addEventListener("storage", (event) => {
  if (event.key !== STORE) return;
  load(); // decided in another tab
  render();
});
addEventListener("beforeunload", (event) => {
  if (!stored && unexported) event.preventDefault();
});

load();
render();
if (!reviewer && content.cards.length) askName();
