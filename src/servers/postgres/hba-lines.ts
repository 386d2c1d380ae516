/** One name or keyword of a field of pg_hba.conf. */
export interface HbaToken {
  readonly text: string;
  /** Begins with a quote: then it is a name, whatever it spells. */
  readonly isQuoted: boolean;
}

export interface HbaField {
  /** Where it stands in its line. */
  readonly start: number;
  readonly end: number;
  readonly tokens: readonly HbaToken[];
}

/**
 * The line of a rule, with those that it goes on in joined to it, as PostgreSQL numbers and reads them (hba.c, tokenize_auth_file): a
 * backslash at the end continues a line, also a comment, and the same one is not looked at twice.
 */
export function logicalLine(text: string, lineNumber: number): string {
  let line = '';
  let seenBackslashAt = 0;
  for (const next of text.split('\n').slice(lineNumber - 1)) {
    line = (line + next).replace(/\r+$/, '');
    if (line.length <= seenBackslashAt || !line.endsWith('\\')) break;
    line = line.slice(0, -1);
    seenBackslashAt = line.length;
  }
  return line;
}

/** The fields of a line: tokens with commas between them are one field (hba.c, next_field_expand). */
export function splitFields(line: string): HbaField[] {
  const fields: HbaField[] = [];
  let at = 0;
  for (;;) {
    const first = readToken(line, at);
    if (first === null) return fields;
    const tokens = [first.token];
    let last = first;
    while (last.hasComma) {
      const next = readToken(line, last.next);
      if (next === null) break;
      tokens.push(next.token);
      last = next;
    }
    fields.push({ start: first.start, end: last.end, tokens });
    at = last.next;
  }
}

interface ReadToken {
  readonly token: HbaToken;
  readonly start: number;
  /** Behind its last character, and where to read on. */
  readonly end: number;
  readonly next: number;
  readonly hasComma: boolean;
}

/** hba.c, next_token. Null at the end of the line, or where a comment begins. */
function readToken(line: string, from: number): ReadToken | null {
  let at = from;
  while (at < line.length && (isBlank(line[at]!) || line[at] === ',')) at += 1;
  const start = at;
  let text = '';
  let isOpen = false;
  let wasQuote = false;
  for (; at < line.length && (isOpen || !isBlank(line[at]!)); at += 1) {
    const char = line[at]!;
    if (!isOpen && (char === '#' || char === ',')) break;
    if (char !== '"' || wasQuote) text += char;
    wasQuote = isOpen && char === '"' ? !wasQuote : false;
    if (char === '"') isOpen = !isOpen;
  }
  if (at === start) return null;
  const hasComma = line[at] === ',';
  const isComment = line[at] === '#';
  const next = isComment ? line.length : hasComma ? at + 1 : at;
  return { token: { text, isQuoted: line[start] === '"' }, start, end: at, next, hasComma };
}

function isBlank(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\r';
}

/** A name that is nothing else, whatever it spells. */
export function quoteHba(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
