import { createHash } from 'node:crypto';
import { type HbaField, type HbaToken, quoteHba, splitFields } from './hba-lines.ts';

/**
 * A fence is a block in front of the text of pg_hba.conf. The first rule that fits decides, so the block lets in one role, as the rules
 * below it would have, and rejects everybody else; `all` does not mean connections for replication, for which the rules below stay. All
 * texts here hold one character for each byte of the file (latin1), so that they are the file, whatever its encoding.
 */

/** A rule of the file or of one that it includes, as pg_hba_file_rules lists it. */
export interface HbaRule {
  /** As it stands in its file, with the lines that it goes on in. */
  readonly line: string;
  /** What is named there, with the files that are named by `@` read. */
  readonly users: readonly string[];
  /** Of its file: `@` names files beside it. */
  readonly folder: string;
  /** What PostgreSQL finds wrong with it. */
  readonly error: string | null;
}

/** The role that is let in. */
export interface HbaAdmin {
  readonly role: string;
  /** Roles that it is a member of, itself among them; superusers are not members of all. */
  readonly groups: readonly string[];
  /** Those of the patterns in the file (`/…`) that its name matches. */
  readonly patterns: readonly string[];
}

export interface StandingFence {
  /** Of all who set it. */
  readonly marks: readonly string[];
  /** The text as it was before. */
  readonly original: string;
}

const BEGIN = '# eventcore fence begin ';
const END = '# eventcore fence end\n';
const HIDDEN = '#| ';
const ABOUT = [
  '# Lets in nobody but one role and replication; all rules below it come too late. It goes with `eventcore dr`; by hand: delete all lines',
  '# down to "eventcore fence end", and "#| " in front of those after it where that stands there, then SELECT pg_reload_conf().',
];

interface Header {
  readonly marks: readonly string[];
  /** Where the text has errors it stands in comments, since PostgreSQL would not read any of it. */
  readonly form: 'plain' | 'hidden';
  readonly sha256: string;
}

/** The text with a fence in front of it. `text` has none. */
export function fencedHba(text: string, rules: readonly HbaRule[], admin: HbaAdmin, mark: string): string {
  const form = rules.some(({ error }) => error !== null) ? 'hidden' : 'plain';
  const sound = rules.filter(({ error }) => error === null);
  const block = [
    ...ABOUT,
    ...sound.flatMap((rule) => admitOnly(rule, admin)),
    ...trialRules(mark),
    'local all all reject',
    'host all all all reject',
    ...(form === 'hidden' ? sound.flatMap(replicationOnly) : []),
  ];
  return (
    [headerLine({ marks: [mark], form, sha256: sha256(text) }), ...block, END].join('\n') + encode(text, form)
  );
}

/** Whether a text begins with a fence; of the text only the first line need be there. */
export function beginsWithFence(head: string): boolean {
  return readHeader(head) !== null;
}

/** The fence in front of a text; null where there is none, or not all of it. */
export function readFence(text: string): StandingFence | null {
  const parts = splitFence(text);
  return parts === null ? null : { marks: parts.header.marks, original: parts.whole ?? parts.found };
}

interface FenceParts {
  readonly header: Header;
  /** What stands below the fence, as it is there, and read. */
  readonly rest: string;
  readonly found: string;
  /** The text that was there when the fence was set; null where it is another one now. */
  readonly whole: string | null;
}

function splitFence(text: string): FenceParts | null {
  const header = readHeader(text);
  const end = text.indexOf(`\n${END}`);
  if (header === null || end === -1) return null;
  const rest = text.slice(end + 1 + END.length);
  const found = decode(rest, header.form);
  const whole = withoutLastEnd(found).find((one) => sha256(one) === header.sha256) ?? null;
  return { header, rest, found, whole };
}

/** What COPY writes ends with the end of a line in any case. */
function withoutLastEnd(text: string): string[] {
  return text.endsWith('\n') ? [text, text.slice(0, -1)] : [text];
}

/** The same fence, set by one more. `text` has one. */
export function joinFence(text: string, mark: string): string {
  const { marks } = readHeader(text)!;
  return withMarks(text, [...marks.filter((one) => one !== mark), mark].slice(-MOST_MARKS));
}

/** The same fence without one of those who set it; null where it stands for nobody else. `text` has one. */
export function leaveFence(text: string, mark: string): string | null {
  const left = readHeader(text)!.marks.filter((one) => one !== mark);
  return left.length === 0 ? null : withMarks(text, left);
}

function withMarks(text: string, marks: readonly string[]): string {
  const header = readHeader(text)!;
  const [, ...lines] = text.split('\n');
  const at = lines.indexOf(trialRules(header.marks[0]!)[0]!);
  const others = header.marks.flatMap(trialRules);
  const block = [...lines.slice(0, at), ...marks.flatMap(trialRules), ...lines.slice(at + others.length)];
  return [headerLine({ ...header, marks }), ...block].join('\n');
}

/** Those before them are forgotten: each is a run of a recovery, or a guard. */
const MOST_MARKS = 8;

/**
 * What the text was without a fence, and is to be again, whatever a process that died left: files are written in place. `kept` is the
 * copy that was made before the file was first touched, empty where no fence is under way. Null where nobody can tell.
 */
export function unfencedHba(current: string, kept: string): string | null {
  const fence = splitFence(current);
  if (fence !== null) {
    if (fence.whole !== null) return fence.whole;
    const { form, sha256: digest } = fence.header;
    const origin = withoutLastEnd(kept).find((one) => sha256(one) === digest);
    return origin !== undefined && encode(origin, form).startsWith(fence.rest) ? origin : fence.found;
  }
  const isCutFence = current.startsWith(BEGIN) || BEGIN.startsWith(current);
  if (isCutFence) return kept === '' ? null : kept;
  return kept.startsWith(current) ? kept : current;
}

/**
 * Nobody has this name. Under the fence with this mark it is asked for a password where all others are rejected: so it shows which rules
 * the server has loaded, whatever the file says.
 */
export function trialName(mark: string): string {
  return `eventcore-fence-${sha256(Buffer.from(mark).toString('latin1')).slice(0, 16)}`;
}

function trialRules(mark: string): string[] {
  const name = quoteHba(trialName(mark));
  return [`local all ${name} scram-sha-256`, `host all ${name} all scram-sha-256`];
}

/** The rule for this role alone, in its place among the others; nothing where it does not concern it, or only lets replication in. */
function admitOnly({ line, users, folder }: HbaRule, admin: HbaAdmin): string[] {
  const fields = splitFields(line);
  const [, databases, roles] = fields;
  if (databases === undefined || roles === undefined) return [];
  if (databases.tokens.every((token) => isKeyword(token, 'replication'))) return [];
  const hasFile = roles.tokens.some(isFile);
  // What a file names has no quotes any more.
  const named = hasFile ? users.map((text) => ({ text, isQuoted: false })) : roles.tokens;
  if (!named.some((token) => fits(token, admin))) return [];
  return [rebuild(line, fields, fieldText(line, databases, folder), quoteHba(toBytes(admin.role)))];
}

function fits({ text, isQuoted }: HbaToken, admin: HbaAdmin): boolean {
  const role = toBytes(admin.role);
  if (!isQuoted && text === 'all') return true;
  if (!isQuoted && text.startsWith('+')) return admin.groups.map(toBytes).includes(text.slice(1));
  return text === role || admin.patterns.map(toBytes).includes(text);
}

/** The part of a rule that lets replication in. */
function replicationOnly({ line, folder }: HbaRule): string[] {
  const fields = splitFields(line);
  const [, databases, roles] = fields;
  if (databases === undefined || roles === undefined) return [];
  if (!databases.tokens.some((token) => isKeyword(token, 'replication'))) return [];
  return [rebuild(line, fields, 'replication', fieldText(line, roles, folder))];
}

/** On one line, without the comment behind it. */
function rebuild(line: string, fields: readonly HbaField[], databases: string, roles: string): string {
  const [type, , third] = fields;
  const kind = line.slice(type!.start, type!.end);
  const rule = `${kind} ${databases} ${roles} ${line.slice(third!.end, fields.at(-1)!.end).trim()}`;
  // It would go on in the next line.
  return rule.endsWith('\\') ? `${rule} ` : rule;
}

/** As it is written, but files that are named without their folder get it: the rule moves to another file. */
function fieldText(line: string, field: HbaField, folder: string): string {
  if (!field.tokens.some(isFile)) return line.slice(field.start, field.end);
  return field.tokens
    .map((token) => {
      if (!isFile(token)) return token.isQuoted ? quoteHba(token.text) : token.text;
      const path = token.text.slice(1);
      return `@${quoteHba(path.startsWith('/') ? path : `${toBytes(folder)}/${path}`)}`;
    })
    .join(',');
}

function isFile({ text, isQuoted }: HbaToken): boolean {
  return !isQuoted && text.startsWith('@') && text.length > 1;
}

function isKeyword({ text, isQuoted }: HbaToken, keyword: string): boolean {
  return !isQuoted && text === keyword;
}

function headerLine(header: Header): string {
  return toBytes(BEGIN + JSON.stringify(header));
}

function readHeader(text: string): Header | null {
  const end = text.indexOf('\n');
  if (!text.startsWith(BEGIN) || end === -1) return null;
  try {
    const { marks, form, sha256 } = JSON.parse(fromBytes(text.slice(BEGIN.length, end))) as Partial<Header>;
    const hasMarks =
      Array.isArray(marks) && marks.length > 0 && marks.every((mark) => typeof mark === 'string');
    if (!hasMarks || typeof sha256 !== 'string') return null;
    return form === 'plain' || form === 'hidden' ? { marks, form, sha256 } : null;
  } catch {
    return null;
  }
}

function encode(text: string, form: Header['form']): string {
  return form === 'plain' ? text : `${HIDDEN}${text.replaceAll('\n', `\n${HIDDEN}`)}`;
}

function decode(text: string, form: Header['form']): string {
  if (form === 'plain') return text;
  return text
    .split('\n')
    .map((line) => (line.startsWith(HIDDEN) ? line.slice(HIDDEN.length) : line))
    .join('\n');
}

function sha256(text: string): string {
  return createHash('sha256').update(Buffer.from(text, 'latin1')).digest('hex');
}

/** A name of the server, as its bytes in a file. */
function toBytes(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1');
}

function fromBytes(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}
