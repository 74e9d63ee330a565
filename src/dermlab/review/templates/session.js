// What a reader answered, kept in this browser, and how it leaves the page and comes back as CSV. Knows nothing of the page's elements.

const STORE = `dermlab-reading:${content.page}`;
const { cannotTell: CANNOT_TELL, drop: DROP, then: THEN, confidence: CONFIDENCE } = content;
const IDLE = 120_000; // milliseconds without a touch or a key, after which nobody is taken to be reading
const DAY = 86_400; // seconds, more than which the merge takes for no time at a card

// An entry is {place, images, answer, useless, confidence, seconds, reason, date}: `place` counts cards from 1; `images` are the photos
// that were on the card; `answer` is a list of classes, one of CANNOT_TELL and DROP, or null where the card was put off; `useless` are
// photos of the card that say nothing.
let others = []; // entries to cards of other photos: a page drawn anew may bear the same name. They stay stored, and count for nothing here
// A draft is {place, images, chosen, useless, reason}: what was begun at a card that has no answer yet, or that was put off.
const DRAFTS = `${STORE}:drafts`;
let drafts = [];
const entryOf = (place) => entries.find((entry) => entry.place === place);
const placeOf = (card) => content.cards.indexOf(card) + 1;

const isOf = (entry, card) => Array.isArray(entry.images) && String(entry.images) === String(card?.images);

function isEntry(entry) {
  const card = content.cards[entry.place - 1];
  if (!isOf(entry, card) || !Array.isArray(entry.useless) || !entry.useless.every((id) => card.images.includes(id))) return false;
  if (entry.answer === null || entry.answer === CANNOT_TELL || entry.answer === DROP) return true;
  return (
    Array.isArray(entry.answer) && entry.answer.length > 0 && entry.answer.every((name) => content.classes.includes(name)) &&
    CONFIDENCE.includes(entry.confidence)
  );
}

const isDraft = ({ images, chosen, useless, reason }) => [images, chosen, useless].every(Array.isArray) && typeof reason === "string";

function loadDrafts() {
  try {
    drafts = JSON.parse(localStorage.getItem(DRAFTS) ?? "[]").filter(isDraft);
  } catch {
    // A browser that keeps nothing leaves what this page knows; another text than ours holds no draft.
  }
}

function load() {
  loadDrafts();
  try {
    const found = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    entries = found.filter(isEntry);
    others = found.filter((entry) => Array.isArray(entry.images) && !isOf(entry, content.cards[entry.place - 1]));
  } catch (error) {
    [entries, others] = [[], []];
    stored = !(error instanceof DOMException); // anything else is a text that is not ours: start anew
  }
}

function save() {
  try {
    localStorage.setItem(STORE, JSON.stringify([...others, ...entries]));
    localStorage.setItem(DRAFTS, JSON.stringify(drafts));
  } catch {
    stored = false;
  }
}

// The first card without an entry; undefined at the end.
const current = () => content.cards.find((card, index) => !entryOf(index + 1));
const following = (card) => content.cards.find((other, index) => other !== card && !entryOf(index + 1));
const answered = () => entries.filter((entry) => entry.answer !== null);

// Of a card of the same photos, in classes that this page offers.
function draftOf(card) {
  const offered = ({ chosen }) => chosen.every((name) => content.classes.includes(name));
  return drafts.find((other) => other.place === placeOf(card) && isOf(other, card) && offered(other));
}

function draft(card, chosen, useless, reason) {
  drafts = drafts.filter((other) => other !== draftOf(card));
  if (chosen.length || useless.length || reason) drafts.push({ place: placeOf(card), images: card.images, chosen, useless, reason });
  save();
}

function decide(card, answer, useless, confidence, seconds, reason) {
  entries.push({ place: placeOf(card), images: card.images, answer, useless, confidence, seconds, reason: plain(reason), date: today() });
  unexported = true;
  if (answer !== null) drafts = drafts.filter((other) => other !== draftOf(card));
  save();
}

// Back to how the card stood before its answer.
function undo() {
  const last = entries.pop();
  unexported = entries.length > 0;
  save();
  if (!last || last.answer === null) return last;
  const { place, answer, useless, reason } = last;
  draft(content.cards[place - 1], Array.isArray(answer) ? answer : [], useless, reason);
  return last;
}

function askAgain() {
  entries = answered();
  save();
}

const asCsv = () => csvOf(answered().flatMap(linesOf));

// A line a photo; the seconds of a card are shared among its photos.
function linesOf({ place, answer, useless, confidence, seconds, reason, date }) {
  const { images, questions } = content.cards[place - 1];
  const told = Array.isArray(answer) ? answer.join(THEN) : answer;
  const each = (seconds / images.length).toFixed(1);
  return images.map((id, at) => {
    const said = useless.includes(id) ? DROP : told;
    const sure = said === told && Array.isArray(answer) ? confidence : "";
    return [id, said, sure, each, content.mode, questions[at], String(place), asText(reason), content.reviewer, date];
  });
}

// Values of CSV as `csvOf` writes it; whatever a spreadsheet made of it is not taken back.
function parseCsv(text) {
  const rows = [];
  let row = [];
  const value = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (value.lastIndex < text.length) {
    const found = value.exec(text);
    if (!found) return null;
    row.push(found[1] === undefined ? found[2] : found[1].replaceAll('""', '"'));
    if (found[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  if (row.length) rows.push([...row, ""]); // the text ends with a comma
  return rows;
}

// Takes over the answers of a file that this page exported, here or on another device: all of them or none. Returns what to say of it. What
// was answered here already stays.
function takeOver(exported) {
  const { header, page } = content;
  const text = exported.replace(/^\ufeff/, "");
  const rows = parseCsv(text);
  if (!rows && text.startsWith(header.join(",")))
    return "The file breaks off within a value. Nothing was taken over. Export the answers again.";
  if (!rows || String(rows[0]) !== String(header)) return "This is no file that a page like this exported. Nothing was taken over.";
  const numbered = rows.map((row, place) => [place + 1, row]).slice(1).filter(([, row]) => row.some((value) => value.trim()));
  const byPlace = new Map();
  for (const [number, row] of numbered) {
    const line = Object.fromEntries(header.map((name, place) => [name, row[place]]));
    const whole = row.length === header.length;
    if (whole && !line.page.endsWith(`-${page}`)) return "These answers are of another page. Nothing was taken over.";
    const why = whole ? brokenLine(line) : `has ${row.length} values, not ${header.length}: is the file cut short?`;
    if (why) return `Line ${number} ${why} Nothing was taken over. Export the answers again.`;
    byPlace.set(Number(line.place), [...(byPlace.get(Number(line.place)) ?? []), line]);
  }
  const found = [];
  for (const [place, lines] of byPlace) {
    const entry = entryFrom(place, lines);
    if (!isEntry(entry) || !says(entry, lines)) {
      const why = `The lines of card ${place} are not as they were exported, or some of them are missing.`;
      return `${why} Nothing was taken over. Export the answers again.`;
    }
    found.push(entry);
  }
  const here = new Map(answered().map((entry) => [entry.place, String(entry.answer)]));
  const fresh = found.filter((entry) => !here.has(entry.place));
  const differ = found.filter((entry) => here.has(entry.place) && here.get(entry.place) !== String(entry.answer)).length;
  entries = [...entries.filter((entry) => !fresh.some((other) => other.place === entry.place)), ...fresh];
  save();
  const stays = differ ? `; ${differ} were answered otherwise here, which stays` : "";
  return `${fresh.length} answers taken over, ${found.length - fresh.length} were here already${stays}.`;
}

// What is wrong with the values of a line that the merge would refuse; empty where nothing is.
function brokenLine({ place, seconds, date }) {
  if (!/^[1-9]\d{0,5}$/.test(place)) return `says place "${place}", which is no whole number.`;
  const isTime = /^\d{1,5}(\.\d+)?$/.test(seconds) && Number(seconds) <= DAY;
  if (!isTime) return `says seconds "${seconds}", which is no number such as 12.5.`;
  const day = /^\d{4}-\d\d-\d\d$/.test(date) ? new Date(date) : new Date(NaN);
  if (isNaN(day) || day.toISOString().slice(0, 10) !== date) return `says date "${date}", which is no day such as 2026-01-31.`;
  return "";
}

// Whether an entry says of every photo what its lines said.
const says = (entry, lines) =>
  linesOf(entry).every(([id, answer, confidence, , , page], place) => {
    const line = lines[place];
    return [line.image_id, line.page, line.answer, line.confidence].join("\n") === [id, page, answer, confidence].join("\n");
  }) && lines.every((line) => line.reason === lines[0].reason && line.date === lines[0].date && line.seconds === lines[0].seconds);

function entryFrom(place, lines) {
  const told = lines.find((line) => line.answer !== DROP) ?? lines[0];
  const one = told.answer === DROP || told.answer === CANNOT_TELL;
  return {
    place,
    images: lines.map((line) => line.image_id),
    answer: one ? told.answer : content.classes.includes(told.answer) ? [told.answer] : told.answer.split(THEN),
    useless: told.answer === DROP ? [] : lines.filter((line) => line.answer === DROP).map((line) => line.image_id),
    confidence: told.confidence,
    seconds: lines.reduce((sum, line) => sum + Number(line.seconds), 0),
    reason: plain(asText(told.reason.slice(1)) === told.reason ? told.reason.slice(1) : told.reason),
    date: told.date,
  };
}
