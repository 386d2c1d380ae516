import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckSettings,
  inSample,
} from './check.ts';

export const STREAM_GAPS: CheckDefinition = {
  name: 'stream_gaps',
  proves:
    'Each stream begins with its first version and lacks none up to its last, but for those that the newest backup lacked too.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired: 'missing events that a chain has are added again',
  questions: (names, settings) => [
    { sql: gapsSql(names, settings), answer: (row) => judge(row, names, settings) },
  ],
};

function gapsSql(names: SqlNames, settings: CheckSettings): string {
  const { events, stream, version, versionBase } = names;
  return `SELECT stream, previous, version, bucket FROM (
      SELECT ${stream} AS stream, ${version} AS version, ${bucketColumn(names, settings)} AS bucket,
             lag(${version}) OVER (PARTITION BY ${stream} ORDER BY ${version}) AS previous
        FROM ${events} WHERE ${inSample(names, settings)}) AS followed
    WHERE version > coalesce(previous, ${versionBase} - 1) + 1`;
}

type Span = readonly [first: number, last: number];

function judge(row: SqlRow, { versionBase }: SqlNames, { known }: CheckSettings): CheckFound | null {
  const isBegin = row.previous === null;
  const missing: Span = [isBegin ? versionBase : Number(row.previous) + 1, Number(row.version) - 1];
  const before = known(row.stream!);
  const native: Span[] =
    before === null ? [] : [[versionBase, before.firstVersion - 1], ...(before.gaps ?? [])];
  const news = without(missing, native);
  if (news.length === 0) return null;
  const events = news.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const spans = news
    .slice(0, 3)
    .map(([first, last]) => (first === last ? `${first}` : `${first} to ${last}`));
  return {
    ...{ streamId: row.stream!, version: String(news[0]![0]), events, bucket: row.bucket ?? null },
    message: `${events === 1 ? 'version' : 'versions'} ${spans.join(', ')}${news.length > 3 ? ' and more' : ''} missing`,
    repair: 'reinstate_events',
  };
}

/** What is left of a span without others, which lie in order. */
export function without(span: Span, others: readonly Span[]): Span[] {
  const left: Span[] = [];
  let [first] = span;
  const [, end] = span;
  for (const [from, to] of others) {
    if (to < first || from > end) continue;
    if (from > first) left.push([first, from - 1]);
    first = Math.max(first, to + 1);
  }
  if (first <= end) left.push([first, end]);
  return left;
}
