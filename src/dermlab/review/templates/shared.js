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

// A spreadsheet runs a cell that begins like a formula; an apostrophe makes it text. Ids and labels must stay what they are.
const asText = (text) => (/^[=+\-@]/.test(text) ? `'${text}` : text);
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
