// The modules that a TypeScript source names: import, import type, export from, dynamic import, require. Found in the text
// without a parser: comments and the insides of strings are masked first, so that only code is looked at.

const NAMING = [
  /\bfrom\s*\u0001(\d+)\u0001/g,
  /\bimport\s*\u0001(\d+)\u0001/g,
  /\b(?:import|require|require\.resolve|import\.meta\.resolve)\s*\(\s*\u0001(\d+)\u0001/g,
];

/** List of { specifier, line }. */
export function importsOf(text) {
  const { code, strings } = mask(text);
  const found = new Map();
  for (const pattern of NAMING) {
    for (const match of code.matchAll(pattern)) found.set(Number(match[1]), strings[match[1]]);
  }
  return [...found.values()].map(({ value, line }) => ({ specifier: value, line }));
}

/** Replaces every string by its number between two marks, and drops comments and regular expressions. */
function mask(text) {
  const strings = [];
  let code = '';
  let at = 0;
  let line = 1;
  const openTemplates = [];
  let depth = 0;

  const skipTo = (end) => {
    for (; at < end; at++) if (text[at] === '\n') line++;
  };
  const takeTemplate = () => {
    const end = endOfTemplate(text, at);
    skipTo(end.at);
    if (end.opens) openTemplates.push(depth++);
  };

  while (at < text.length) {
    const char = text[at];
    const two = text.slice(at, at + 2);
    if (two === '//') skipTo(endOr(text, text.indexOf('\n', at)));
    else if (two === '/*') skipTo(endOr(text, text.indexOf('*/', at + 2), 2));
    else if (char === '"' || char === "'" || (char === '`' && isPlainTemplate(text, at))) {
      const end = endOfString(text, at);
      strings.push({ value: text.slice(at + 1, end - 1), line });
      code += `\u0001${strings.length - 1}\u0001`;
      skipTo(end);
    } else if (char === '`') {
      at++;
      takeTemplate();
    } else if (char === '}' && openTemplates.at(-1) === depth - 1) {
      depth = openTemplates.pop();
      at++;
      takeTemplate();
    } else if (char === '/' && startsRegExp(code)) skipTo(endOfRegExp(text, at));
    else {
      if (char === '{') depth++;
      if (char === '}') depth--;
      code += char;
      skipTo(at + 1);
    }
  }
  return { code, strings };
}

function endOr(text, index, extra = 0) {
  return index < 0 ? text.length : index + extra;
}

function endOfString(text, start) {
  let at = start + 1;
  while (at < text.length && text[at] !== text[start]) at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function isPlainTemplate(text, start) {
  return !text.slice(start, endOfString(text, start)).includes('${');
}

function endOfTemplate(text, start) {
  let at = start;
  while (at < text.length && text[at] !== '`' && text.slice(at, at + 2) !== '${')
    at += text[at] === '\\' ? 2 : 1;
  const opens = text[at] === '$';
  return { at: at + (opens ? 2 : 1), opens };
}

// A slash divides after a value and opens a regular expression elsewhere.
function startsRegExp(code) {
  const before = code.trimEnd();
  return before === '' || /[(,=:[!&|?{};+\-*%<>~^]$|\b(return|typeof|case|of|in|yield|await)$/.test(before);
}

function endOfRegExp(text, start) {
  let at = start + 1;
  let inClass = false;
  while (at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/')) {
    if (text[at] === '[') inClass = true;
    if (text[at] === ']') inClass = false;
    at += text[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}
