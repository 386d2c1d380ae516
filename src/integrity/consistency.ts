import { chainOddities, touchStreams } from '../core/chain-summary.ts';
import type { EventFacts } from '../core/event-facts.ts';
import type { Manifest, Oddities } from '../core/manifest.ts';
import type { Problem, ProblemCode } from '../core/report.ts';
import type { StreamTable } from '../core/stream-table.ts';
import { countOddities, eventRange } from '../core/summary.ts';
import { compareUtf8 } from '../core/text-order.ts';
import type { Vault } from '../core/vault.ts';
import { makeFileDigest } from '../format/file-digest.ts';
import { decodeHeads, encodeHeads, type HeadLine } from '../format/heads.ts';
import { readHeads } from '../format/line-files.ts';
import { bundleChecksum } from '../format/manifest-codec.ts';

/** What a manifest says of itself and its files must add up. */
export function describeSelf(manifest: Manifest): Problem[] {
  const problems: Problem[] = [];
  if (bundleChecksum(manifest.files) !== manifest.checksum) {
    problems.push(problem('bundle_checksum', 'the files in the manifest do not give its checksum'));
  }
  const sum = (role: string): number =>
    manifest.files.reduce((total, file) => total + (file.role === role ? file.records : 0), 0);
  if (sum('events') !== manifest.totalEvents)
    problems.push(differs('events', sum('events'), manifest.totalEvents));
  if (sum('heads') !== manifest.totalStreams)
    problems.push(differs('streams', sum('heads'), manifest.totalStreams));
  return problems;
}

/** What a chain holds without an incremental backup: at least of the streams that this one touches. */
export interface ChainBefore {
  readonly manifest: Manifest;
  readonly table: StreamTable;
}

/**
 * Compares what the events are with what manifest and heads say that they were when they were read from the store:
 * counts, ranges, each stream's first and last version, its gaps, its last event.
 */
export async function compareHeads(
  vault: Vault,
  folder: string,
  manifest: Manifest,
  table: StreamTable,
  facts: EventFacts,
  before?: ChainBefore,
): Promise<Problem[]> {
  if (before !== undefined) {
    const touched = touchStreams(before.table, table);
    const oddities = chainOddities(before.manifest.oddities, touched, facts, manifest.store.versionBase);
    return compareWith({ vault, folder, manifest }, touched.after, facts, oddities);
  }
  const oddities = countOddities(table, facts, manifest.store.versionBase);
  return compareWith({ vault, folder, manifest }, table, facts, oddities);
}

async function compareWith(
  { vault, folder, manifest }: { vault: Vault; folder: string; manifest: Manifest },
  table: StreamTable,
  facts: EventFacts,
  oddities: Oddities,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const expected = {
    totalEvents: manifest.totalEvents,
    totalStreams: manifest.totalStreams,
    eventRange: manifest.eventRange,
    oddities: manifest.oddities,
  };
  const found = {
    totalEvents: facts.events,
    totalStreams: table.count,
    eventRange: eventRange(facts),
    oddities,
  };
  for (const key of ['totalEvents', 'totalStreams', 'eventRange', 'oddities'] as const) {
    const [is, was] = [JSON.stringify(found[key]), JSON.stringify(expected[key])];
    if (is !== was) problems.push(differs(key, is, was));
  }
  const digest = makeFileDigest();
  for (const chunk of encodeHeads(table)) digest.update(chunk.plain);
  if (digest.hex() !== manifest.headsDigest) {
    problems.push(problem('heads_differ', 'the events do not give the heads that the manifest names'));
    problems.push(...(await nameDifferences(readHeads(vault, folder, manifest), table)));
  }
  return problems;
}

/** Enough to see what happened. */
const MAX_NAMED = 100;

async function nameDifferences(expected: AsyncIterable<HeadLine>, table: StreamTable): Promise<Problem[]> {
  const problems: Problem[] = [];
  const found = foundHeads(table);
  let current = found.next();
  for await (const was of expected) {
    while (!current.done && compareUtf8(current.value.streamId, was.streamId) < 0) {
      problems.push(streamProblem('heads_differ', current.value.streamId, null, 'is not among the heads'));
      current = found.next();
    }
    if (current.done || current.value.streamId !== was.streamId) {
      problems.push(streamProblem('heads_differ', was.streamId, was.lastVersion, 'has no event'));
    } else {
      problems.push(...compareStream(current.value, was));
      current = found.next();
    }
    if (problems.length >= MAX_NAMED) break;
  }
  return problems.slice(0, MAX_NAMED);
}

function* foundHeads(table: StreamTable): Generator<HeadLine, undefined> {
  for (const chunk of encodeHeads(table)) yield* decodeHeads(chunk.plain);
  return undefined;
}

function compareStream(is: HeadLine, was: HeadLine): Problem[] {
  const { streamId } = was;
  const knownGaps = JSON.stringify(was.gaps ?? []);
  if (JSON.stringify(is.gaps ?? []) !== knownGaps) {
    const [first, last] = (is.gaps ?? []).find((gap) => !knownGaps.includes(JSON.stringify(gap))) ?? [0, 0];
    return [streamProblem('version_gap', streamId, first, `misses versions ${first} to ${last}`)];
  }
  if ((is.duplicates ?? 0) !== (was.duplicates ?? 0)) {
    return [streamProblem('version_duplicate', streamId, null, `has ${is.duplicates ?? 0} doubled versions`)];
  }
  if (JSON.stringify(is) === JSON.stringify(was)) return [];
  const text = `ends at version ${is.lastVersion} (${is.lastEventId}), not ${was.lastVersion} (${was.lastEventId})`;
  return [streamProblem('heads_differ', streamId, was.lastVersion, text)];
}

function streamProblem(code: ProblemCode, streamId: string, version: number | null, text: string): Problem {
  const place = { file: null, chunk: null, version: version === null ? null : String(version) };
  return { ...place, code, streamId, message: `stream ${JSON.stringify(streamId)} ${text}` };
}

function problem(code: ProblemCode, message: string): Problem {
  return { code, file: null, chunk: null, streamId: null, version: null, message };
}

function differs(what: string, is: string | number, was: string | number): Problem {
  return problem('counts_differ', `${what} is ${is}, the manifest says ${was}`);
}
