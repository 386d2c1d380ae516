/** A source with its words and signs at their places, and everything else blanked out. */
export interface SourceText {
  /** Same length and lines as the source; comments and the insides of strings and patterns are spaces. */
  readonly code: string;
  /** Each string without `${}`, by the place of its opening quote. */
  readonly strings: ReadonlyMap<number, string>;
}

/** After these a `/` begins a pattern; after anything else it divides. */
const BEFORE_PATTERN = /(?:^|[=(,:;!&|?{}[+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|yield|void))\s*$/;

interface Scan {
  readonly source: string;
  readonly code: string[];
  readonly strings: Map<number, string>;
  at: number;
}

/** Reads TypeScript as far as needed to tell code from comments, strings, templates and patterns. */
export function readSource(source: string): SourceText {
  const scan: Scan = { source, code: [], strings: new Map(), at: 0 };
  readCode(scan, null);
  return { code: scan.code.join(''), strings: scan.strings };
}

/** Until the end, or, inside a template, until the bracket that closes its `${`. */
function readCode(scan: Scan, end: '}' | null): void {
  let depth = 0;
  while (scan.at < scan.source.length) {
    const sign = scan.source[scan.at]!;
    if (end !== null && depth === 0 && sign === end) return;
    if (sign === '{') depth += 1;
    if (sign === '}') depth -= 1;
    readOne(scan, sign);
  }
}

function readOne(scan: Scan, sign: string): void {
  const two = scan.source.slice(scan.at, scan.at + 2);
  if (two === '//') blankTo(scan, find(scan, '\n'));
  else if (two === '/*') blankTo(scan, find(scan, '*/', 2));
  else if (sign === "'" || sign === '"') readString(scan, sign);
  else if (sign === '`') readTemplate(scan);
  else if (sign === '/' && BEFORE_PATTERN.test(lastCode(scan))) readPattern(scan);
  else keep(scan);
}

function readString(scan: Scan, quote: string): void {
  const start = scan.at;
  keep(scan);
  while (scan.at < scan.source.length && scan.source[scan.at] !== quote) {
    blank(scan, scan.source[scan.at] === '\\' ? 2 : 1);
  }
  scan.strings.set(start, scan.source.slice(start + 1, scan.at));
  keep(scan);
}

function readTemplate(scan: Scan): void {
  keep(scan);
  while (scan.at < scan.source.length && scan.source[scan.at] !== '`') {
    if (scan.source.startsWith('${', scan.at)) {
      keep(scan);
      keep(scan);
      readCode(scan, '}');
      keep(scan);
    } else {
      blank(scan, scan.source[scan.at] === '\\' ? 2 : 1);
    }
  }
  keep(scan);
}

function readPattern(scan: Scan): void {
  keep(scan);
  let inClass = false;
  while (scan.at < scan.source.length && (inClass || scan.source[scan.at] !== '/')) {
    const sign = scan.source[scan.at];
    if (sign === '[') inClass = true;
    if (sign === ']') inClass = false;
    blank(scan, sign === '\\' ? 2 : 1);
  }
  keep(scan);
}

function keep(scan: Scan): void {
  scan.code.push(scan.source[scan.at] ?? '');
  scan.at += 1;
}

function blank(scan: Scan, length: number): void {
  blankTo(scan, scan.at + length);
}

function blankTo(scan: Scan, end: number): void {
  for (; scan.at < end; scan.at += 1) scan.code.push(scan.source[scan.at] === '\n' ? '\n' : ' ');
}

function find(scan: Scan, what: string, more = 0): number {
  const found = scan.source.indexOf(what, scan.at + more);
  return found === -1 ? scan.source.length : found + more;
}

function lastCode(scan: Scan): string {
  return scan.code.slice(-40).join('').trimEnd().slice(-12);
}

export function lineOf(text: string, at: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < at; i = text.indexOf('\n', i + 1)) line += 1;
  return line;
}

/** The place of the bracket that closes the one at `open`; the end of the text when there is none. */
export function findClosing(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i += 1) {
    if ('([{'.includes(code[i]!)) depth += 1;
    else if (')]}'.includes(code[i]!)) depth -= 1;
    if (depth === 0) return i;
  }
  return code.length;
}
