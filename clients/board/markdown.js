/**
 * Markdown as elements: headings, lists with check boxes, quotes, code, rules, tables are left as text; emphasis, links,
 * mentions and keys of tasks in lines. HTML is text like any other, and a link leads to http, https or mailto.
 */

import { h } from "./dom.js";

const SAFE = new Set(["http:", "https:", "mailto:"]);
const DEEP = 6; // levels of what stands within another; what is deeper is text

/** Give the elements of a text. `links(word)` gives the address of a task's key, or null. */
export function markdown(text, links = () => null) {
  return blocks(text.replaceAll("\r\n", "\n").split("\n"), links, 0);
}

// --- Blocks ---

const FENCE = /^ {0,3}(```+|~~~+)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*)$/s;
const CLOSING = /(^|[^#])#+$/; // of a heading
const RULE = /^ {0,3}([-*_])\s*(?:\1\s*){2,}$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])\s+(.*)$/s;
const QUOTE = /^ {0,3}>\s?(.*)$/s;
const CHECK = /^\[([ xX])\]\s+(.*)$/s;

function blocks(lines, links, depth) {
  const found = [];
  let at = 0;
  const takeWhile = (fits) => {
    const start = at;
    while (at < lines.length && fits(lines[at], at > start)) at += 1;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const [, fence] = FENCE.exec(line) ?? [];
    const [, marks, title] = HEADING.exec(line) ?? [];
    if (!line.trim()) at += 1;
    else if (fence) {
      at += 1;
      const code = takeWhile((one) => !one.trim().startsWith(fence));
      at += 1;
      found.push(h("pre", { tabindex: "0" }, h("code", code.join("\n"))));
    } else if (marks) {
      at += 1;
      found.push(
        h(`h${Math.min(6, marks.length + 2)}`, {}, inline(title.replace(CLOSING, "$1").trimEnd(), links, depth)),
      );
    } else if (RULE.test(line)) {
      at += 1;
      found.push(h("hr"));
    } else if (QUOTE.test(line) && depth < DEEP) {
      const quoted = takeWhile((one) => QUOTE.test(one)).map((one) => QUOTE.exec(one)[1]);
      found.push(h("blockquote", blocks(quoted, links, depth + 1)));
    } else if (ITEM.test(line) && depth < DEEP) {
      found.push(
        list(
          takeWhile((one, isLater) => !isLater || ITEM.test(one) || /^\s+\S/.test(one)),
          links,
          depth,
        ),
      );
    } else {
      const begins = (one) =>
        FENCE.test(one) || HEADING.test(one) || QUOTE.test(one) || ITEM.test(one) || RULE.test(one);
      const words = takeWhile((one, isLater) => one.trim() && (!isLater || !begins(one)));
      found.push(h("p", inline(words.join("\n"), links, depth)));
    }
  }
  return found;
}

function list(lines, links, depth) {
  const [, { length: margin }, mark] = ITEM.exec(lines[0]);
  const items = [];
  for (const line of lines) {
    const [, indent, , words] = ITEM.exec(line) ?? [];
    if (indent?.length < margin + 2)
      items.push([words]); // else it is of a list within
    else items.at(-1).push(line.replace(/^ {1,4}/, ""));
  }
  const isNumbered = /\d/.test(mark);
  return h(isNumbered ? "ol" : "ul", isNumbered && mark !== "1." ? { start: parseInt(mark, 10) } : {}, items.map(item));

  function item([first, ...rest]) {
    const [, check, words = first] = CHECK.exec(first) ?? [];
    const box = check && h("input", { type: "checkbox", disabled: true, checked: check !== " ", "aria-label": words });
    return h("li", { class: check ? "check" : null }, box, inline(words, links, depth), blocks(rest, links, depth + 1));
  }
}

// --- In a line ---

/** @type {[RegExp, (match: RegExpExecArray, more: (words: string) => any[]) => any][]} */
const RULES = [
  [/^\\([\\`*_{}[\]()#+\-.!~>|])/, ([, char]) => char],
  [/^(`+)(?!`)(.*?[^`])\1(?!`)/s, ([, , code]) => h("code", code.trim())],
  [/^\*\*(?=\S)(.+?\S?)\*\*/s, ([, words], more) => h("strong", more(words))],
  [/^\*(?=[^\s*])([^*]*?[^\s*])\*(?!\*)/s, ([, words], more) => h("em", more(words))],
  [/^~~(?=\S)(.+?)~~/s, ([, words], more) => h("del", more(words))],
  [/^!?\[([^[\]\n]{1,500})\]\(<?([^\s()<>]{1,2000})>?\)/, ([all, words, url], more) => link(url, more(words)) ?? all],
  [/^<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/, ([all, url]) => link(url, [url]) ?? all],
  [/^ {2,}\n/, () => h("br")],
];
// These begin a word.
/** @type {typeof RULES} */
const WORDS = [
  [/^___(?=[^\s_])([^_]+)___(?!\w)/, ([, words], more) => h("strong", h("em", more(words)))],
  [/^_(?=[^\s_])([^_]*?[^\s_])_(?!\w)/s, ([, words], more) => h("em", more(words))],
  [/^__(?=[^\s_])((?:[^\W_]__(?=\w)|[^_]|_(?!_))+?)__(?!\w)/, ([, words], more) => h("strong", more(words))],
  [/^https?:\/\/[^\s<>"]{1,2000}[^\s<>".,;:!?)\]']/, ([url]) => link(url, [url]) ?? url],
  [/^@[\w.+-]*\w/, ([name]) => h("span.mention", name)],
];
const KEY = /^[A-Z][A-Z0-9]{1,9}-\d{1,9}(?!\w)/;
const PLAIN = /^(?:[\p{L}\p{N}]+|[^\\`*_~![<@ \p{L}\p{N}]+|`+| +|.)/su; // a run whole, or each character of it would look to its end

function inline(text, links, depth) {
  const parts = [];
  const more = (words) => (depth < DEEP ? inline(words, links, depth + 1) : [words]);
  const push = (part) => {
    if (typeof part === "string" && typeof parts.at(-1) === "string") parts.push(parts.pop() + part);
    else parts.push(part);
  };
  for (let left = text, isInWord = false; left;) {
    const [size, part] = next(left, isInWord, links, more);
    push(part);
    isInWord = /[\p{L}\p{N}]/u.test(left.charAt(size - 1));
    left = left.slice(size);
  }
  return parts;
}

/** Give how much of the text the next part takes, and the part. */
function next(text, isInWord, links, more) {
  for (const [rule, make] of isInWord ? RULES : [...RULES, ...WORDS]) {
    const match = rule.exec(text);
    if (match) return [match[0].length, make(match, more)];
  }
  const [key] = (!isInWord && KEY.exec(text)) || [];
  const address = key && links(key);
  if (address) return [key.length, h("a", { href: address }, key)];
  const [plain] = PLAIN.exec(text);
  return [plain.length, plain];
}

/** A link to where it is safe to go, null for all else. */
function link(url, words) {
  if (!URL.canParse(url) || !SAFE.has(new URL(url).protocol)) return null;
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, words);
}
