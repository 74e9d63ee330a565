"use strict";
// What every page of questions needs: its content, what a person says in one line, and CSV that no spreadsheet runs.

const content = JSON.parse(document.getElementById("content").textContent);
document.getElementById("content").remove(); // its text would stay in memory beside what was parsed from it

const $ = (id) => document.getElementById(id);
const photoOf = (id) => `data:image/jpeg;base64,${content.photos[id]}`;
const percent = (share, digits = 0) => (share > 0.995 && share < 1 ? "> 99 %" : `${(100 * share).toFixed(digits)} %`);
const oneLine = (text) => text.replace(/[\s\x00-\x1f\x7f-\x9f]+/g, " ").trim();

// The local day; Swedish writes it as ISO does.
const today = () => new Date().toLocaleDateString("sv");

// As a spreadsheet reads it, which takes signs of full width for others and does not see what joins letters.
const asRead = (text) => text.replace(/[\u200c\u200d]/g, "").normalize("NFKC").trim();
// A spreadsheet runs a cell that begins like a formula; an apostrophe makes it text. Ids and labels must stay what they are.
const asText = (text) => (/^[=+\-@]/.test(asRead(text)) ? `'${text}` : text);

// A remark as the merge takes it (`why_no_words` in data/lines.py): in one line, without marks that nobody sees or that turn the letters
// around, and without `;` or `|` before what a spreadsheet of other separators then takes for a formula. Those that join letters stay.
const PARTED_FORMULA = /[;|](?=\s*[=+@-])/g;
function plain(text) {
  const seen = oneLine(text.replace(/(?![\u200c\u200d])[\p{Cf}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\uffa0]/gu, ""));
  const read = asRead(seen);
  const parted = read.replace(PARTED_FORMULA, ",");
  return parted === read ? seen : parted;
}
// Of words that may be an option's, or that an older page kept in this browser, and that nobody made plain.
const asMerged = (text) => asText(plain(text));
const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const csvOf = (lines) => [content.header, ...lines].map((line) => line.map(quoted).join(",") + "\n").join("");

function download(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function say(text) {
  $("said").textContent = text;
}

// Answers in the order they were given, so that undo takes the last one off, kept in this browser and nowhere else.
const NAME_STORE = "dermlab-reviewer";
let entries = [];
let reviewer = content.reviewer;
let stored = true; // does this browser keep anything?
let unexported = false;

// `valid`: whether an entry is one of this page's questions and answers.
function loadEntries(store, valid) {
  try {
    reviewer ||= localStorage.getItem(NAME_STORE) ?? "";
    entries = JSON.parse(localStorage.getItem(store) ?? "[]").filter(valid);
  } catch (error) {
    entries = [];
    stored = !(error instanceof DOMException); // anything else is a text that is not ours: start anew
  }
}

function saveEntries(store) {
  try {
    localStorage.setItem(store, JSON.stringify(entries));
    localStorage.setItem(NAME_STORE, reviewer);
  } catch {
    stored = false;
  }
}

function askName() {
  $("reviewer").value = reviewer;
  $("who").showModal();
  $("reviewer").select();
}
