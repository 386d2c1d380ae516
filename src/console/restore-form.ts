import { formatTime, parseTime, TIME_INFINITY, TIME_MINUS_INFINITY } from '../core/time.ts';
import type { RestoreRequest } from './ports.ts';

/** Which point is asked for, and of what. The one form of all pages that lead to a restore. Pure. */
export interface RestoreForm {
  readonly kind: PointKind;
  /** As a command takes it; '' of the newest point. */
  readonly value: string;
  /** Only these; none: the whole store. */
  readonly streams: readonly string[];
}

export const POINT_KINDS = ['newest', 'at', 'backup', 'before-event', 'lsn'] as const;
export type PointKind = (typeof POINT_KINDS)[number];

/** A field that is not as it must be, and what it must be. */
export interface FieldProblem {
  readonly field: PointKind | 'point' | 'streams';
  readonly message: string;
}

export type ReadForm =
  | { readonly state: 'empty' }
  | { readonly state: 'read'; readonly form: RestoreForm }
  | { readonly state: 'wrong'; readonly problems: readonly FieldProblem[] };

export const MOST_STREAMS = 50;
export const MOST_NAME_SIGNS = 1000;

/** Reads a query or a form that was sent: all parts of it, or what is wrong with each. */
export function readRestoreForm(get: (name: string) => string | null): ReadForm {
  const kind = get('point');
  if (kind === null) return { state: 'empty' };
  if (!isPointKind(kind))
    return { state: 'wrong', problems: [{ field: 'point', message: 'Choose one of the points' }] };
  const value = kind === 'newest' ? '' : readValue(kind, (get(kind) ?? '').trim());
  const streams = readStreams(get('streams') ?? '');
  const problems = [value, streams].filter((part): part is FieldProblem => isProblem(part));
  if (isProblem(value) || isProblem(streams)) return { state: 'wrong', problems };
  return { state: 'read', form: { kind, value, streams } };
}

function isPointKind(text: string): text is PointKind {
  return POINT_KINDS.some((kind) => kind === text);
}

function isProblem(part: string | readonly string[] | FieldProblem): part is FieldProblem {
  return typeof part === 'object' && 'message' in part;
}

type ValueKind = Exclude<PointKind, 'newest'>;

/** Lengths first: patterns see nothing long. */
const VALUE_RULES: Readonly<
  Record<
    ValueKind,
    { readonly most: number; readonly read: (text: string) => string | null; readonly must: string }
  >
> = {
  at: {
    most: 40,
    read: readTime,
    must: 'It must be a time such as 2026-11-23T04:05:06Z; without an offset it is UTC',
  },
  backup: {
    most: 36,
    read: matching(/^[0-9a-f][0-9a-f-]{3,35}$/),
    must: 'It must be the id of a backup, or its first characters (at least four)',
  },
  'before-event': {
    most: 200,
    read: (text) => (text === '' || hasControl(text) ? null : text),
    must: 'It must be the id of an event, of at most 200 signs',
  },
  lsn: {
    most: 20,
    read: matching(/^(?:[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}|\d{1,18})$/),
    must: 'It must be a position of the log such as 0/16B3748, or a row number of SQLite',
  },
};

function readValue(kind: ValueKind, text: string): string | FieldProblem {
  const { most, read, must } = VALUE_RULES[kind];
  return (text.length > most ? null : read(text)) ?? { field: kind, message: must };
}

function matching(pattern: RegExp): (text: string) => string | null {
  return (text) => (pattern.test(text) ? text : null);
}

/** In UTC, with no more digits than it has. */
function readTime(text: string): string | null {
  const time = parseTime(text);
  if (time === null || time === TIME_INFINITY || time === TIME_MINUS_INFINITY) return null;
  return shortTime(formatTime(time));
}

/** `2026-11-23T04:05:06Z` of `2026-11-23T04:05:06.000000Z`. */
export function shortTime(time: string): string {
  return time.replace(/\.(\d*?)0*Z$/, (_, digits: string) => (digits === '' ? 'Z' : `.${digits}Z`));
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/** One a line, as they are: a name may begin and end with blanks. */
function readStreams(text: string): readonly string[] | FieldProblem {
  const names = new Set(text.split(/\r\n|\n|\r/).filter((line) => line !== ''));
  if (names.size > MOST_STREAMS)
    return { field: 'streams', message: `No more than ${MOST_STREAMS} streams at a time` };
  for (const name of names) {
    const message = whyNoName(name);
    if (message !== null) return { field: 'streams', message };
  }
  return [...names];
}

/** Why this cannot be the name of a stream in an address or a command; null: it can. */
export function whyNoName(name: string): string | null {
  if (name.length > MOST_NAME_SIGNS) return `A name has no more than ${MOST_NAME_SIGNS} signs here`;
  // No program can be given one.
  if (name.includes('\0')) return 'A name with a zero byte cannot be asked for here';
  return name.isWellFormed() ? null : 'A name must be whole Unicode text';
}

/** What names the point and the streams to a command, word by word. Nothing in it is read as another option. */
export function formWords({ kind, value, streams }: RestoreForm): string[] {
  const point = kind === 'newest' ? [] : optionWords(`--${kind}`, value);
  return [...point, ...streams.flatMap((name) => optionWords('--stream', name))];
}

/** `--stream=-x`, since the word after an option may look like one itself. */
export function optionWords(option: string, value: string): string[] {
  return value.startsWith('-') ? [`${option}=${value}`] : [option, value];
}

/** The same form as the query of an address. */
export function formQuery({ kind, value, streams }: RestoreForm): Record<string, string | null> {
  return {
    point: kind,
    ...(kind === 'newest' ? {} : { [kind]: value }),
    streams: streams.length === 0 ? null : streams.join('\n'),
  };
}

/** The point as an operation takes it. */
export function formPoint({ kind, value }: RestoreForm): RestoreRequest['point'] {
  return kind === 'newest' ? null : { flag: kind, value };
}

/** In words: `the state of 2026-11-23T04:05:06Z`. */
export function pointWords({ kind, value }: Pick<RestoreForm, 'kind' | 'value'>): string {
  switch (kind) {
    case 'newest':
      return 'the newest point';
    case 'at':
      return `the state of ${value}`;
    case 'backup':
      return `backup ${value}`;
    case 'before-event':
      return `the state just before event ${value}`;
    case 'lsn':
      return `the state at position ${value}`;
  }
}
