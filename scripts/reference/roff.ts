/** Text as roff of a man page: ASCII, so that every formatter reads it without being told what it is. */

/** One line of running text; what stands in backticks is bold. */
export function prose(text: string): string {
  const parts = text.split('`').map((part, i) => (i % 2 === 0 ? plain(part) : bold(part)));
  return guard(parts.join(''));
}

/** As it is typed: hyphens are those of the keyboard. */
export function bold(text: string): string {
  return `\\fB${plain(text).replaceAll('-', '\\-')}\\fR`;
}

/** A block that keeps its lines. */
export function literal(lines: readonly string[]): string {
  return [
    '.nf',
    '.RS 4',
    ...lines.map((line) => guard(plain(line).replaceAll('-', '\\-'))),
    '.RE',
    '.fi',
  ].join('\n');
}

/** What is said of a word, below it. */
export function entry(head: string, text: string): string {
  return ['.TP', guard(head), prose(text)].join('\n');
}

function plain(text: string): string {
  return text
    .replaceAll('\\', '\\[rs]')
    .replaceAll('’', "'")
    .replace(
      /[^\x20-\x7e]/gu,
      (sign) => `\\[u${sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

/** A line that begins with one of these would be taken for a request. */
function guard(line: string): string {
  return /^['.]/.test(line) ? `\\&${line}` : line;
}
