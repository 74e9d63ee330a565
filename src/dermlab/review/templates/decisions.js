"use strict";
// What was decided, kept in this browser, and how it leaves it as CSV. Knows nothing of the page's elements but the content.

const content = JSON.parse(document.getElementById("content").textContent);
document.getElementById("content").remove(); // its text would stay in memory beside what was parsed from it
const STORE = `dermlab-review:${content.digest}`;
const NAME_STORE = "dermlab-reviewer";

// In the order they were made, so that undo takes the last one off: {id, to, reason, reviewer, date}; a skip has `to: null`.
let entries = [];
let reviewer = content.reviewer;
let stored = true; // does this browser keep anything?
let unexported = false;

const entryOf = (id) => entries.find((entry) => entry.id === id);
const labelOf = (id) => entryOf(id)?.to ?? content.labels[id];

function load() {
  const ids = new Set(content.cards.map((card) => card.image_id));
  const labels = new Set([...content.classes, content.drop, null]);
  try {
    reviewer ||= localStorage.getItem(NAME_STORE) ?? "";
    const kept = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    entries = kept.filter((entry) => ids.has(entry.id) && labels.has(entry.to));
  } catch (error) {
    entries = [];
    stored = !(error instanceof DOMException); // anything else is a text that is not ours: start anew
  }
}

function save() {
  try {
    localStorage.setItem(STORE, JSON.stringify(entries));
    localStorage.setItem(NAME_STORE, reviewer);
  } catch {
    stored = false;
  }
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

const oneLine = (text) => text.replace(/[\s\x00-\x1f\x7f-\x9f]+/g, " ").trim();

// The local day; Swedish writes it as ISO does.
const today = () => new Date().toLocaleDateString("sv");

function decide(card, to, reason) {
  const why = to === null ? "" : oneLine(reason) || usualReason(card, to);
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

// A spreadsheet runs a cell that begins like a formula; an apostrophe makes it text. Ids and labels must stay what they are.
const asText = (text) => (/^[=+\-@]/.test(text) ? `'${text}` : text);
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function asCsv() {
  const lines = entries
    .filter((entry) => entry.to !== null)
    .map(({ id, to, reason, reviewer: by, date }) => [id, content.labels[id], to, asText(reason), asText(by || reviewer), date]);
  return [content.header, ...lines].map((line) => line.map(quoted).join(",") + "\n").join("");
}
