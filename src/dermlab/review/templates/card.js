// The current card on the screen. Only one card is in the page at a time, and the next photo is decoded ahead: 2,000 stay quick.

const called = (label) => (label === content.drop ? "dropped" : label);

const ISSUES = {
  leak: ["In two splits", "The same photo is also in the validation or test set."],
  conflict: ["Conflict", "Copies of this photo bear different labels. Which one is right?"],
  garbage: ["No skin?", "This may be a document, or show no skin."],
  duplicate: ["Copy", "The same photo is in the training set more than once."],
  mislabeled: ["Label doubtful", "Photos and answers like these bear another label."],
  hard: ["Hard case", "The classifier disagrees, but has little to go by. Rare cases often look like this and are right."],
  none: ["Spot check", "Nothing speaks against the label."],
};

let ahead; // the next photo, decoded

function render() {
  const card = current();
  $("card").hidden = document.querySelector("nav").hidden = !card;
  $("done").hidden = Boolean(card);
  $("unstored").hidden = stored;
  $("name-text").textContent = reviewer || "not named";
  renderCount();
  renderEnough();
  if (!card) return renderDone();
  const next = following(card);
  ahead = new Image();
  if (next) ahead.src = photoOf(next.image_id);
  renderCard(card);
}

function renderCount() {
  const numbers = { ...tally(), "reviewed before": content.reviewed, "more after this page": content.later };
  const parts = Object.entries(numbers).filter(([, number]) => number);
  const place = document.createElement("b");
  place.textContent = `${Math.min(entries.length + 1, content.cards.length)} of ${content.cards.length}`;
  const counts = document.createElement("span");
  counts.textContent = parts.map(([what, number]) => `${number} ${what}`).join(" · ");
  $("count").replaceChildren(place, " ", counts);
  $("progress").max = content.cards.length;
  $("progress").value = entries.length;
}

function renderEnough() {
  const run = rightInARow();
  $("enough").hidden = run < content.rightInARow;
  if ($("enough").hidden) return;
  const { errorShare } = content;
  $("enough-said").textContent = `The last ${run} labels were right: it may be enough.`;
  $("enough-why").textContent =
    `Were ${percent(errorShare)} or more of such labels wrong, ${run} right ones in a row would come about with a chance of only ` +
    `${percent((1 - errorShare) ** run, 1)}; with 95 % confidence at most ${percent(1 - 0.05 ** (1 / run), 1)} are. The most doubtful ` +
    "come first, so what follows should be better still, as far as that order is right. Export, or go on.";
}

function renderCard(card) {
  const garbage = card.issue === "garbage";
  const suggests = garbage || card.suggested !== card.given;
  const [name, text] = ISSUES[card.issue];
  $("photo").src = photoOf(card.image_id);
  $("photo").alt = `Photo labelled ${card.given}`;
  $("issue").className = card.issue;
  $("issue-name").textContent = name;
  $("issue-text").textContent = text;
  $("given").textContent = $("keep-label").textContent = card.given;
  $("rare").hidden = !card.rare;
  $("suggested").textContent = garbage ? "drop the photo" : suggests ? card.suggested : "the same";
  $("suggested").parentElement.classList.toggle("same", !suggests);
  $("suggest-label").textContent = garbage ? "drop" : suggests ? card.suggested : "none";
  document.querySelector("[data-act=suggestion]").disabled = !suggests;
  $("meter").hidden = garbage; // the probability is that of a class
  $("meter").value = card.suggested_prob;
  $("prob").textContent = garbage ? "" : percent(card.suggested_prob);
  light(100);
  $("copies-section").hidden = !card.copies.length && !card.copy_in_val_or_test;
  $("copy-in-val-or-test").hidden = !card.copy_in_val_or_test;
  $("copies").replaceChildren(...card.copies.map((id) => figure(card, id)));
  $("neighbours").replaceChildren(...card.neighbours.map((id) => figure(card, id)));
  const agree = card.neighbours.filter((id) => labelOf(id) === card.given).length;
  $("votes").textContent = card.neighbours.length ? `${agree} of ${card.neighbours.length} bear the label given` : "none";
  renderAnswers(card.answers);
  $("reason").value = "";
  $("image-id").textContent = card.image_id;
  $("card").scrollTop = document.querySelector(".facts").scrollTop = 0;
}

function renderAnswers(answers) {
  const rows = answers.map(([question, answer]) => {
    const row = document.createElement("div");
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = question;
    value.textContent = answer;
    row.append(term, value);
    return row;
  });
  $("answers").replaceChildren(...(rows.length ? rows : ["none given"]));
}

// A photo beside the one in question. Its frame and a word tell whose side it is on.
function figure(card, id) {
  const label = labelOf(id);
  const side = label === card.given ? "given" : label === card.suggested ? "suggested" : "neither";
  const [box, button, photo, caption] = ["figure", "button", "img", "figcaption"].map((tag) => document.createElement(tag));
  box.className = side;
  photo.src = photoOf(id);
  photo.alt = "";
  button.type = "button";
  button.setAttribute("aria-label", `Enlarge the photo labelled ${called(label)}`);
  button.addEventListener("click", () => enlarge(id));
  button.append(photo);
  caption.textContent = called(label);
  const note = document.createElement("span");
  note.textContent = { given: "as given", suggested: "as suggested", neither: "" }[side];
  caption.append(note);
  box.append(button, caption);
  return box;
}

function renderDone() {
  const { kept, relabelled, dropped, skipped } = tally();
  $("summary").textContent = content.cards.length
    ? `${kept} kept, ${relabelled} relabelled, ${dropped} dropped, ${skipped} skipped.`
    : "There was nothing in it.";
  $("again").hidden = !skipped;
  $("again").textContent = `Ask the ${skipped} skipped again`;
}

// Photos are dark or glaring; the pixels stay as they are.
function light(share) {
  $("light").value = share;
  $("photo").style.filter = $("zoomed").style.filter = `brightness(${share}%)`;
}

function enlarge(id) {
  $("zoomed").src = photoOf(id);
  $("zoom").showModal();
}
