import { getSparse, hasSparse, removeSparse, setSparse } from './sparse.ts';
import {
  compactRuns,
  copyHead,
  findOrAdd,
  type StreamFacts,
  type StreamTable,
  setHeadId,
} from './stream-table.ts';

/** Single streams of a table: what a chain of backups holds of them is put in, asked for and carried over. */

export interface NameBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
}

/** The text of an event's id. */
export interface IdText extends NameBytes {
  readonly idKind: 'text';
}

/**
 * Makes the table hold exactly this of a stream, whatever it held of it before. Of a stream without gaps nothing is made
 * that would have to be collected: there may be millions.
 */
export function setStream(table: StreamTable, name: NameBytes, facts: StreamFacts, lastId: IdText): void {
  const { events, firstVersion, lastVersion, gaps, duplicates } = facts;
  const index = findOrAdd(table, name.bytes, name.start, name.length);
  table.events[index] = events;
  table.runFirst[index] = firstVersion;
  table.runLast[index] = gaps.length === 0 ? lastVersion : gaps[0]![0] - 1;
  table.headVersion[index] = lastVersion;
  setHeadId(table, index, lastId, lastId.start, lastId.length);
  if (gaps.length > 0) setSparse(table.moreRuns, index, runsBehind(gaps, lastVersion));
  else if (table.moreRuns.size > 0) removeSparse(table.moreRuns, index);
  if (duplicates > 0) setSparse(table.duplicates, index, duplicates);
  else if (table.duplicates.size > 0) removeSparse(table.duplicates, index);
}

/** First and last version of what lies behind each gap. */
function runsBehind(gaps: StreamFacts['gaps'], lastVersion: number): number[] {
  return gaps.flatMap(([, last], i) => [last + 1, i + 1 < gaps.length ? gaps[i + 1]![0] - 1 : lastVersion]);
}

/** Whether the table has an event of this version of the stream at `index`. */
export function holdsVersion(table: StreamTable, index: number, version: number): boolean {
  if (version >= table.runFirst[index]! && version <= table.runLast[index]!) return true;
  if (table.moreRuns.size === 0 || !hasSparse(table.moreRuns, index)) return false;
  compactRuns(table, index);
  if (version >= table.runFirst[index]! && version <= table.runLast[index]!) return true;
  const runs = getSparse(table.moreRuns, index) ?? [];
  for (let i = 0; i < runs.length; i += 2) if (version >= runs[i]! && version <= runs[i + 1]!) return true;
  return false;
}

/** Carries one stream over into a table that does not hold it yet. */
export function copyStream(to: StreamTable, from: StreamTable, at: number): void {
  const index = findOrAdd(to, from.names, from.nameStarts[at]!, from.nameLengths[at]!);
  to.events[index] = from.events[at]!;
  to.runFirst[index] = from.runFirst[at]!;
  to.runLast[index] = from.runLast[at]!;
  const more = getSparse(from.moreRuns, at);
  if (more !== undefined) setSparse(to.moreRuns, index, [...more]);
  const duplicates = getSparse(from.duplicates, at);
  if (duplicates !== undefined) setSparse(to.duplicates, index, duplicates);
  copyHead(to, index, from, at);
}
