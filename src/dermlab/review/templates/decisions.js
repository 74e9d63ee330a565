// What was decided about labels, and how it leaves the page as CSV. Knows nothing of the page's elements.

const STORE = `dermlab-review:${content.digest}`;

// An entry is {id, to, reason, reviewer, date}; a skip has `to: null`.
const entryOf = (id) => entries.find((entry) => entry.id === id);
const labelOf = (id) => entryOf(id)?.to ?? content.labels[id];

function load() {
  const ids = new Set(content.cards.map((card) => card.image_id));
  const labels = new Set([...content.classes, content.drop, null]);
  loadEntries(STORE, (entry) => ids.has(entry.id) && labels.has(entry.to));
}

function save() {
  saveEntries(STORE);
}

// The first card without an entry; undefined at the end.
function current() {
  const seen = new Set(entries.map((entry) => entry.id));
  return content.cards.find((card) => !seen.has(card.image_id));
}

function following(card) {
  const seen = new Set(entries.map((entry) => entry.id)).add(card.image_id);
  return content.cards.find((other) => !seen.has(other.image_id));
}

// In the words of the ledger; a person may write another reason.
function usualReason(card, to) {
  if (to === card.given) return "confirmed";
  if (to !== content.drop) return "label changed on review";
  const reasons = {
    garbage: "scanned page or no skin",
    leak: "copy of a validation or test photo",
    conflict: "copy of another photo",
    duplicate: "copy of another photo",
  };
  return reasons[card.issue] ?? "photo of no use";
}

function decide(card, to, reason) {
  const why = to === null ? "" : plain(reason) || usualReason(card, to);
  entries.push({ id: card.image_id, to, reason: why, reviewer, date: today() });
  unexported = true;
  save();
}

function undo() {
  const last = entries.pop();
  unexported = entries.length > 0;
  save();
  return last;
}

function askSkippedAgain() {
  entries = entries.filter((entry) => entry.to !== null);
  save();
}

function tally() {
  const count = { kept: 0, relabelled: 0, dropped: 0, skipped: 0 };
  const given = new Map(content.cards.map((card) => [card.image_id, card.given]));
  for (const { id, to } of entries) {
    count[to === null ? "skipped" : to === content.drop ? "dropped" : to === given.get(id) ? "kept" : "relabelled"] += 1;
  }
  return count;
}

// Labels kept in a row up to now. A skip says nothing about the label: it neither counts nor breaks the row.
function rightInARow() {
  let run = 0;
  for (const { id, to } of [...entries].reverse()) {
    if (to === null) continue;
    if (to !== content.labels[id]) break;
    run += 1;
  }
  return run;
}

function asCsv() {
  const lines = entries
    .filter((entry) => entry.to !== null)
    .map(({ id, to, reason, reviewer: by, date }) => [id, content.labels[id], to, ...[reason, by || reviewer].map(asMerged), date]);
  return csvOf(lines);
}
