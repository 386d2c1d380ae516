/** What a block of a terminal says: commands, and what they print. */

export interface Step {
  /** As typed, without `$ `; several lines where one ends with a backslash or begins a here-document. */
  readonly command: string;
  readonly output: string;
}

/** A line after `$ ` is a command; what follows, until the next one, is what it prints. */
export function readSteps(block: string): Step[] {
  const lines = block.trimEnd().split('\n');
  const steps: Step[] = [];
  for (let at = 0; at < lines.length; ) {
    if (!lines[at]!.startsWith('$ ')) throw new Error(`"$ " is missing before: ${lines[at]}`);
    const printed = endOfCommand(lines, at);
    const next = lines.findIndex((line, index) => index >= printed && line.startsWith('$ '));
    const end = next === -1 ? lines.length : next;
    const command = lines.slice(at, printed).join('\n').slice(2);
    steps.push({ command, output: lines.slice(printed, end).join('\n').trimEnd() });
    at = end;
  }
  return steps;
}

/** A backslash goes on to the next line, and a here-document to its end. */
function endOfCommand(lines: readonly string[], from: number): number {
  let end = from + 1;
  while (lines[end - 1]!.endsWith('\\') && end < lines.length) end += 1;
  const mark = /<<-?\s*['"]?(\w+)['"]?/.exec(lines.slice(from, end).join('\n'))?.[1];
  const close = mark === undefined ? -1 : lines.indexOf(mark, end);
  return close === -1 ? end : close + 1;
}

export function writeSteps(steps: readonly Step[]): string {
  return steps.map(({ command, output }) => `$ ${command}\n${output === '' ? '' : `${output}\n`}`).join('');
}

/** What may differ from run to run, and what stands for it. The order counts. */
const MASKS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<id>'],
  [/\b(?:age1|AGE-SECRET-KEY-1)[0-9a-z]{20,}/gi, '<key>'],
  [/\bed25519:[\w-]{43}/g, '<key>'],
  [/\bect_[0-9a-f]+/g, '<token>'],
  [/\b[0-9a-fA-F]{16,}\b/g, '<digest>'],
  [/\btimeline \d+/g, 'timeline <n>'],
  [/\b[0-9a-f]{8}\b/g, '<id>'],
  [/\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z)?/g, '<time>'],
  [/\b\d{4}-\d\d-\d\d\b/g, '<date>'],
  [/\b\d\d:\d\d:\d\d(\.\d+)?( UTC)?/g, '<time>'],
  [/\b[0-9A-F]{1,8}\/[0-9A-F]{1,8}\b/g, '<lsn>'],
  [/\b(PostgreSQL|postgres|SQLite|Node) v?\d[\d.]*/gi, '$1 <version>'],
  [/\b\d+\.\d+\.\d+\b(?!\.)/g, '<version>'],
  [/\b\d[\d,.]* events\/s/g, '<rate>'],
  [/\b\d[\d,.]* ?(B|[kKMGT]i?B)(\/s)?\b/g, '<size>'],
  [/\b\d[\d,.]* ?(µs|ms|s|min|h|d|seconds?|minutes?|hours?|days?)(?![\w/])/g, '<span>'],
  [/<span>( <span>)+/g, '<span>'],
  [/("\w+Ms": )\d+/g, '$1<ms>'],
  [/[ \t]+/g, ' '],
];

/** Ids, keys, times, sizes, durations, rates and versions become names; spaces, that tables are laid out with, one. */
export function mask(text: string): string {
  return MASKS.reduce((masked, [pattern, name]) => masked.replaceAll(pattern, name), text);
}

/**
 * Whether what was seen is what is shown, but for what is masked. `…` stands for anything within its line; a line with nothing else, for
 * any number of lines.
 */
export function isShown(shown: string, seen: string): boolean {
  return matchLines(linesOf(shown), linesOf(seen));
}

function linesOf(text: string): string[] {
  return mask(text.trimEnd())
    .split('\n')
    .map((line) => line.trim());
}

function matchLines(shown: readonly string[], seen: readonly string[]): boolean {
  const [line, ...rest] = shown;
  if (line === undefined) return seen.length === 0;
  if (line === '…') return seen.some((_, at) => matchLines(rest, seen.slice(at))) || matchLines(rest, []);
  const [first, ...others] = seen;
  return first !== undefined && toPattern(line).test(first) && matchLines(rest, others);
}

function toPattern(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'u');
}

/** What a command names after another one has printed it: ids, long and short, times, positions, keys. */
const NAMED: readonly RegExp[] = [
  /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g,
  /(?<![\w-])[0-9a-f]{8}(?![\w-])/g,
  /\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z/g,
  /\b[0-9A-F]{1,8}\/[0-9A-F]{1,8}\b/g,
  /\bage1[0-9a-z]{20,}/g,
  /\bed25519:[\w-]{43}/g,
];

const UUID_CHARS = 36;
const SHORT_CHARS = 8;

/** Names that were seen where others are shown: later commands of the page mean these. */
export function findStandIns(shown: string, seen: string): { shown: string; real: string }[] {
  return NAMED.flatMap((pattern) => {
    const [named, real] = [shown, seen].map((text) => text.match(pattern) ?? []);
    if (named!.length !== real!.length) return [];
    const pairs = named!.map((name, at) => ({ shown: name, real: real![at]! }));
    const short = pairs
      .filter((pair) => pair.shown.length === UUID_CHARS)
      .map((pair) => ({ shown: pair.shown.slice(0, SHORT_CHARS), real: pair.real.slice(0, SHORT_CHARS) }));
    return [...pairs, ...short];
  });
}
