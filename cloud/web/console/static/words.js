// The texts this page's modules need, given by the server in the reader's language.
// One a line, key and text parted by a tab: quotes would treble in size in an attribute.
const lines = (document.body.dataset.words || "").split("\n");
const texts = Object.fromEntries(lines.filter(Boolean).map((line) => line.split("\t")));
export const language = document.documentElement.lang;

// The text for `key` with its {placeholders} filled; the singular where n is 1. An unknown key is shown as it is.
export function say(key, values = {}) {
  const found = texts[key] ?? (values.n === 1 && texts[`${key}.one`]) ?? texts[`${key}.other`];
  const text = found || texts[`${key}.other`] || key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

export const knows = (key) => key in texts;
