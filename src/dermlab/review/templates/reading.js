// The card on the screen, keys, touches and dialogs. Nothing here knows the label of a blind page: it is not in the page.

let chosen = []; // classes, the likeliest first
let useless = new Set(); // photos of this card that say nothing
let marked = -1; // place in the list of classes, -1 for none
let spent = 0; // milliseconds at this card
let seenAt = Date.now();
const SETTLING = 400; // milliseconds in which a tap or a key was meant for what stood there before
let shown = null; // the card on the screen, undefined at the end, null before the first
let cardAt = -Infinity; // when it came, in milliseconds of performance.now
let listAt = -Infinity; // when the list of classes was drawn anew because one was chosen or taken back
let ahead; // the next card's first photo, decoded

function tick() {
  const now = Date.now();
  if (!document.hidden) spent += Math.min(now - seenAt, IDLE);
  seenAt = now;
}

function render() {
  const card = current();
  $("card").hidden = document.querySelector("nav").hidden = !card;
  $("done").hidden = Boolean(card);
  $("unstored").hidden = stored;
  const later = entries.length - answered().length;
  $("count").textContent = `${Math.min(entries.length + 1, content.cards.length)} of ${content.cards.length}${later ? ` · ${later} put off` : ""}`;
  $("progress").max = content.cards.length;
  $("progress").value = entries.length;
  if (shown !== null && card !== shown) cardAt = performance.now();
  shown = card;
  if (!card) return renderDone(later);
  const next = following(card);
  ahead = new Image();
  if (next) ahead.src = photoOf(next.images[0]);
  const begun = draftOf(card) ?? { chosen: [], useless: [], reason: "" };
  [chosen, useless, spent, seenAt] = [[...begun.chosen], new Set(begun.useless), 0, Date.now()];
  light(100);
  renderPhotos(card);
  renderHints(card.hints ?? []);
  renderPatient(card.answers);
  $("reason").value = begun.reason;
  $("search").value = "";
  $("cleaned").hidden = true;
  $("image-id").textContent = card.images.join(" ");
  renderChosen();
  listClasses();
  $("card").scrollTop = $("facts").scrollTop = $("photos").scrollLeft = 0;
}

function renderPhotos(card) {
  const count = card.images.length;
  $("photos").className = count > 4 ? "several many" : count > 1 ? "several" : "";
  const figures = card.images.map((id, index) => {
    const [box, button, photo] = ["figure", "button", "img"].map((tag) => document.createElement(tag));
    photo.src = photoOf(id);
    photo.alt = `Photo ${index + 1} of ${card.images.length}`;
    button.type = "button";
    button.className = "open";
    button.setAttribute("aria-label", `Enlarge photo ${index + 1} of ${card.images.length}`);
    button.addEventListener("click", () => enlarge(index));
    button.append(photo);
    box.append(button);
    if (card.images.length > 1) box.append(uselessButton(id, index));
    return box;
  });
  $("photos").replaceChildren(...figures);
}

function uselessButton(id, index) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "useless";
  showUseless(button, id, index);
  button.addEventListener("click", () => toggleUseless(index));
  return button;
}

function showUseless(button, id, index) {
  button.setAttribute("aria-pressed", useless.has(id));
  button.textContent = useless.has(id) ? `Photo ${index + 1} is left out` : `Leave photo ${index + 1} out`;
}

// What was begun outlives a reload and `Later`.
const keepDraft = () => draft(current(), chosen, [...useless], $("reason").value);

function toggleUseless(index) {
  const id = current().images[index];
  if (id === undefined || current().images.length === 1) return;
  if (!useless.delete(id)) useless.add(id);
  keepDraft();
  showUseless(document.querySelectorAll(".useless")[index], id, index);
  say(useless.has(id) ? `Photo ${index + 1} is dropped, whatever the others show.` : `Photo ${index + 1} counts again.`);
}

function renderHints(hints) {
  const buttons = hints.map(([what, answer], place) => {
    const [button, words, name, key] = ["button", "span", "b", "kbd"].map((tag) => document.createElement(tag));
    [words.textContent, name.textContent, key.textContent] = [what, answer, HINT_KEYS[place] ?? ""];
    button.type = "button";
    button.append(...(place < HINT_KEYS.length ? [key] : []), words, name);
    button.addEventListener("click", () => take(answer));
    return button;
  });
  $("hints").hidden = !hints.length;
  $("hints").replaceChildren(...buttons);
}

function take(answer) {
  if (answer === CANNOT_TELL || answer === DROP) return settle(answer, "");
  chosen = content.classes.includes(answer) ? [answer] : answer.split(THEN);
  keepDraft();
  renderChosen();
  listClasses();
}

function renderPatient(answers) {
  const rows = answers.map(([question, answer]) => {
    const row = document.createElement("div");
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, value.textContent] = [question, answer];
    row.append(term, value);
    return row;
  });
  $("answers").replaceChildren(...(rows.length ? rows : ["none given"]));
}

function renderChosen() {
  const chips = chosen.map((name, place) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.textContent = `${place + 1}. ${name} ×`;
    chip.setAttribute("aria-label", `Take back ${name}, the answer number ${place + 1}`);
    chip.addEventListener("click", () => drop(name));
    return chip;
  });
  $("chosen").replaceChildren(...(chips.length ? chips : ["Choose a class; a second and a third one if you hesitate."]));
  for (const button of document.querySelectorAll("nav [data-confidence]")) button.disabled = !chosen.length;
}

function drop(name) {
  chosen = chosen.filter((other) => other !== name);
  keepDraft();
  listAt = performance.now();
  renderChosen();
  listClasses();
}

// Names that begin with what was typed, then those that contain it, then those with a synonym that does. `other` stands last in a list
// that nothing narrows.
function matches(typed) {
  const names = content.classes.filter((name) => name !== "other").sort().concat("other");
  const asked = typed.trim().toLowerCase();
  if (!asked) return names.map((name) => [name, ""]);
  const rank = (name) => {
    if (name.toLowerCase().startsWith(asked)) return [0, ""];
    if (name.toLowerCase().includes(asked)) return [1, ""];
    const synonyms = content.synonyms[name] ?? [];
    const other = synonyms.find((word) => word.toLowerCase().startsWith(asked)) ?? synonyms.find((word) => word.toLowerCase().includes(asked));
    return other ? [2, other] : [3, ""];
  };
  const found = names.map((name) => [name, ...rank(name)]).filter(([, place]) => place < 3);
  return found.sort((one, other) => one[1] - other[1]).map(([name, , synonym]) => [name, synonym]);
}

function listClasses() {
  const typed = $("search").value;
  const options = matches(typed).map(([name, synonym], place) => {
    const option = document.createElement("div");
    option.id = `option-${place}`;
    option.role = "option";
    option.dataset.name = name;
    option.textContent = name;
    option.className = chosen.includes(name) ? "chosen" : "";
    if (synonym) {
      const note = document.createElement("span");
      note.textContent = synonym;
      option.append(note);
    }
    option.addEventListener("click", () => choose(name));
    return option;
  });
  $("options").replaceChildren(...(options.length ? options : ["no class of this name"]));
  mark(typed.trim() && options.length ? 0 : -1);
}

function mark(place) {
  marked = place;
  const options = [...$("options").children];
  options.forEach((option, index) => option.setAttribute("aria-selected", index === marked));
  options[marked]?.scrollIntoView({ block: "nearest" });
  $("search").setAttribute("aria-activedescendant", options[marked]?.id ?? "");
}

function choose(name) {
  if (chosen.includes(name)) return drop(name);
  chosen.push(name);
  keepDraft();
  listAt = performance.now();
  $("search").value = "";
  renderChosen();
  listClasses();
  say(`${chosen.length}. ${name}. 1 sure, 2 likely, 3 unsure.`);
  if (!matchMedia("(pointer: coarse)").matches) $("search").focus({ preventScroll: true });
}

function settle(answer, confidence) {
  const card = current();
  if (!card) return;
  if (Array.isArray(answer) && !answer.length) return say("Choose a class first, or say that you cannot tell.");
  tick();
  // photos that say nothing are dropped whatever is said of the others; of all of them nothing is left to say it of
  if (answer !== null && useless.size === card.images.length) answer = DROP;
  const left = answer === DROP ? [] : [...useless];
  decide(card, answer, left, Array.isArray(answer) ? confidence : "", Math.round(spent / 100) / 10, $("reason").value);
  const told = answer === null ? "Put off" : Array.isArray(answer) ? `${answer.join(", then ")}, ${confidence}` : answer === DROP ? "Dropped" : "Cannot tell";
  goOn(`${told}. ← takes it back.`);
}

// While it can still be read over: when the reader leaves the field.
function cleanRemark() {
  const before = $("reason").value;
  $("reason").value = plain(before);
  $("cleaned").hidden = plain(before) === oneLine(before);
  if (current()) keepDraft();
}

function takeBack() {
  const last = undo();
  goOn(last ? "Taken back." : "Nothing to take back.");
}

// Focus leaves the button that was pressed, or the next space would press it again.
function goOn(text) {
  render();
  const card = current();
  say(card ? `${text} Card ${entries.length + 1} of ${content.cards.length}.` : `${text} That was the last card.`);
  $(card ? "card" : "done").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function renderDone(later) {
  const told = answered();
  const cannot = told.filter((entry) => entry.answer === CANNOT_TELL).length;
  $("summary").textContent = `${told.length} answered (${cannot} of them: cannot tell), ${later} put off.`;
  $("again").hidden = !later;
  $("again").textContent = `Ask the ${later} put off again`;
}

function exportCsv() {
  const count = answered().length;
  if (!count) return say("Nothing to export yet.");
  download(asCsv(), `answers-reader-${content.reader}.csv`);
  unexported = false;
  say(`${count} answers exported. Send the file back, or go on from it on another device (Import).`);
}

async function importCsv() {
  const [file] = $("file").files;
  if (!file) return;
  const told = takeOver(await file.text());
  $("file").value = "";
  goOn(told);
}

const ACTS = {
  cannot: () => settle(CANNOT_TELL, ""),
  drop: () => settle(DROP, ""),
  later: () => settle(null, ""),
  undo: takeBack,
  export: exportCsv,
  import: () => $("file").click(),
  help: () => {
    $("help").showModal();
    $("help").scrollTop = 0; // its button, which has the focus, stands at the end
  },
  again: () => {
    askAgain();
    goOn("Those that were put off, again.");
  },
  close: () => $("zoom").close(),
  previous: () => turn(-1),
  next: () => turn(1),
  two: () => {
    two = current().images.length > 1 && !two;
    renderZoom();
  },
};
const HINT_KEYS = ["5", "6", "7", "8"]; // each takes what a hint says
// While nothing is typed; letters go to the search.
const KEYS = {
  ...Object.fromEntries(HINT_KEYS.map((key, place) => [key, () => $("hints").children[place]?.click()])),
  1: () => settle(chosen, CONFIDENCE[0]),
  2: () => settle(chosen, CONFIDENCE[1]),
  3: () => settle(chosen, CONFIDENCE[2]),
  0: ACTS.cannot,
  9: ACTS.drop,
  ArrowRight: ACTS.later,
  ArrowLeft: takeBack,
  " ": () => enlarge(0),
  Backspace: () => chosen.length && drop(chosen.at(-1)),
  "+": () => light(Number($("light").value) + 20),
  "-": () => light(Number($("light").value) - 20),
  "/": () => $("reason").focus(),
  "?": ACTS.help,
};
const IN_ZOOM = { " ": ACTS.close, ArrowLeft: ACTS.previous, ArrowRight: ACTS.next, b: ACTS.two, "+": KEYS["+"], "-": KEYS["-"] };

function onKey(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (!["s", "o"].includes(key) || event.altKey) return;
    event.preventDefault();
    return key === "s" ? exportCsv() : ACTS.import();
  }
  const open = document.querySelector("dialog[open]");
  if (open) {
    if (open.id !== "zoom" || !(key in IN_ZOOM)) return;
    event.preventDefault();
    return IN_ZOOM[key]();
  }
  const { target } = event;
  if (target === $("reason")) {
    if (["Enter", "Escape"].includes(key)) $("card").focus({ preventScroll: true });
    return;
  }
  if (target === $("light") && key.startsWith("Arrow")) return;
  if (["Enter", " "].includes(key) && target.closest("button")) return; // presses what has the focus
  if (!current()) return key === "ArrowLeft" ? takeBack() : undefined;
  const typed = $("search").value;
  if (event.shiftKey && /^Digit[1-9]$/.test(event.code) && !typed) {
    event.preventDefault();
    return toggleUseless(Number(event.code.at(-1)) - 1);
  }
  if (["ArrowDown", "ArrowUp", "Enter"].includes(key)) return inList(event, key);
  if (key === "Escape") $("search").value = "";
  else if (!typed && key in KEYS) {
    event.preventDefault();
    if (!event.repeat || ["+", "-"].includes(key)) KEYS[key](); // a key held down must not run through the cards
    return;
  } else if (key.length === 1 && target !== $("search")) $("search").focus({ preventScroll: true }); // and is typed there
  else return;
  if (key === "Escape") listClasses();
}

function inList(event, key) {
  const options = [...$("options").children];
  event.preventDefault();
  if (key === "Enter") return marked >= 0 && options[marked] ? choose(options[marked].dataset.name) : undefined;
  if (options.length) mark((marked + (key === "ArrowDown" ? 1 : options.length - 1 + (marked < 0))) % options.length);
}

// The second tap of a double tap lands on a card, or a list, that nobody has seen yet.
function ignoreHasty(event) {
  const browsers = event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab";
  const since = event.timeStamp - (event.type === "click" && event.target.closest("#options, #chosen") ? Math.max(cardAt, listAt) : cardAt);
  if (!event.isTrusted || browsers || since >= SETTLING) return;
  event.preventDefault();
  event.stopPropagation();
}

document.addEventListener("click", ignoreHasty, { capture: true });
document.addEventListener("keydown", ignoreHasty, { capture: true });
document.addEventListener("keydown", (event) => {
  tick();
  onKey(event);
});
document.addEventListener("pointerdown", tick);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) spent += Math.min(Date.now() - seenAt, IDLE);
  seenAt = Date.now();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act], [data-confidence]");
  if (!button) return;
  if (button.dataset.confidence) settle(chosen, button.dataset.confidence);
  else ACTS[button.dataset.act]();
});
$("light").addEventListener("input", () => light(Number($("light").value)));
$("search").addEventListener("input", listClasses);
$("reason").addEventListener("input", keepDraft);
$("reason").addEventListener("change", cleanRemark);
$("file").addEventListener("change", importCsv);
addEventListener("storage", (event) => {
  if (event.key === DRAFTS) loadDrafts(); // begun in another tab, and not to be overwritten here
  if (event.key !== STORE) return;
  load(); // answered in another tab
  render();
});
addEventListener("beforeunload", (event) => {
  if (!stored && unexported) event.preventDefault();
});

load();
render();
if (others.length) say(`${others.length} answers in this browser are to photos that this page does not show. They do not count here.`);
