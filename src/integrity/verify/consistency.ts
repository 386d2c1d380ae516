import {
  type ChainBefore,
  chainOddities,
  type TouchedStreams,
  touchStreams,
} from '../../core/chain-summary.ts';
import type { EventFacts } from '../../core/event-facts.ts';
import type { EventRange, Manifest, Oddities } from '../../core/manifest.ts';
import { nameText } from '../../core/name-text.ts';
import type { Problem, ProblemCode } from '../../core/report.ts';
import {
  findStream,
  releaseTable,
  type StreamTable,
  streamFacts,
  streamName,
} from '../../core/stream-table.ts';
import { countOddities, eventRange } from '../../core/summary.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { parseTime } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { type ChainMember, chainTotals } from '../../format/chain.ts';
import { makeFileDigest } from '../../format/file-digest.ts';
import { decodeHeads, encodeHeads, type HeadLine } from '../../format/heads.ts';
import { readHeads } from '../../format/line-files.ts';
import { bundleChecksum } from '../../format/manifest-codec.ts';

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

/** A backup and what its events were found to be. */
export interface FoundEvents {
  readonly vault: Vault;
  readonly backup: ChainMember;
  readonly table: StreamTable;
  readonly facts: EventFacts;
}

/**
 * Compares what the events are with what manifest and heads say that they were when they were read from the store:
 * counts, ranges, each stream's first and last version, its gaps, its last event. Of an incremental backup heads and
 * oddities are the chain's: where what it builds on is not known, only its own counts can be compared.
 */
export async function compareEvents(found: FoundEvents, before: ChainBefore | null): Promise<Problem[]> {
  const { table, facts } = found;
  const { manifest } = found.backup;
  const [totalEvents, range] = [facts.events, eventRange(facts)];
  if (manifest.kind === 'incremental') {
    const own = compareFacts(manifest, { totalEvents, eventRange: range });
    return before === null ? own : [...own, ...(await compareLink(found, before))];
  }
  return [
    ...compareFacts(manifest, { totalEvents, totalStreams: table.count, eventRange: range }),
    ...compareOddities(manifest, countOddities(table, facts, manifest.store.versionBase)),
    ...(await compareHeads(found, table)),
  ];
}

/** An incremental backup must give what the chain holds with it, starting from what the chain held without it. */
async function compareLink(found: FoundEvents, before: ChainBefore): Promise<Problem[]> {
  const { table, facts } = found;
  const { manifest } = found.backup;
  const touched = touchStreams(before.table, table);
  const oddities = chainOddities(before.manifest.oddities, touched, facts, manifest.store.versionBase);
  const parent = chainTotals(before.manifest);
  const totals = {
    totalEvents: parent.totalEvents + facts.events,
    totalStreams: parent.totalStreams + touched.after.count - touched.before.count,
  };
  const problems = [
    ...compareFacts(manifest, { totalStreams: touched.after.count }),
    ...compareOddities(manifest, oddities),
    ...compareFacts(chainTotals(manifest), totals, 'chain.'),
    ...nameDoubled(table, touched),
    ...(await compareHeads(found, touched.after)),
  ];
  releaseTable(touched.before);
  releaseTable(touched.after);
  return problems;
}

/** Each key of `found` must be in `expected` as it is in `found`. */
function compareFacts(expected: object, found: object, prefix = ''): Problem[] {
  return Object.entries(found).flatMap(([key, value]) => {
    const [is, was] = [value, (expected as Record<string, unknown>)[key]].map((fact) => JSON.stringify(fact));
    return is === was ? [] : [differs(prefix + key, is!, was!)];
  });
}

const ODDITY_CODES = {
  missingVersions: 'version_gap',
  duplicateVersions: 'version_duplicate',
  oddFirstVersions: 'version_gap',
  emptyFields: 'event_invalid',
  belowBase: 'event_invalid',
  futureTimes: 'event_invalid',
} as const satisfies Record<keyof Oddities, ProblemCode>;

const ODDITIES = Object.keys(ODDITY_CODES) as (keyof Oddities)[];

function compareOddities({ oddities: were }: Manifest, are: Oddities): Problem[] {
  return ODDITIES.filter((key) => are[key] !== were[key]).map((key) =>
    problem(ODDITY_CODES[key], `oddities.${key} is ${are[key]}, the manifest says ${were[key]}`),
  );
}

/**
 * What some files of a backup show without the others: no more oddities of single events, no version or time beyond what the
 * manifest says of all of them.
 */
export function compareSome({ oddities, eventRange: range }: Manifest, facts: EventFacts): Problem[] {
  const odd = (['emptyFields', 'belowBase', 'futureTimes'] as const)
    .filter((key) => facts[key] > oddities[key])
    .map((key) => {
      const text = `oddities.${key} is ${facts[key]} in some files alone, the manifest says ${oddities[key]}`;
      return problem('event_invalid', text);
    });
  return facts.events === 0 || range === null || isWithin(facts, range)
    ? odd
    : [...odd, problem('event_invalid', 'events lie beyond the eventRange of the manifest')];
}

function isWithin(facts: EventFacts, range: EventRange): boolean {
  const [earliest, latest] = [parseTime(range.earliestEvent), parseTime(range.latestEvent)];
  return (
    (earliest === null || facts.minTime >= earliest) &&
    (latest === null || facts.maxTime <= latest) &&
    facts.minVersion >= Number(range.earliestVersion) &&
    facts.maxVersion <= Number(range.latestVersion)
  );
}

/** Events whose version the chain holds already: a backup of what is new has none. */
function nameDoubled(own: StreamTable, { before, after }: TouchedStreams): Problem[] {
  const problems: Problem[] = [];
  for (let at = 0; at < own.count && problems.length < MAX_NAMED; at += 1) {
    const place = [own.names, own.nameStarts[at]!, own.nameLengths[at]!] as const;
    const was = findStream(before, ...place);
    if (was === -1) continue;
    const doubled =
      streamFacts(after, findStream(after, ...place)).duplicates -
      streamFacts(before, was).duplicates -
      streamFacts(own, at).duplicates;
    if (doubled === 0) continue;
    const text = `has ${doubled} versions that the chain holds already`;
    problems.push(streamProblem('version_duplicate', nameText(streamName(own, at)), null, text));
  }
  return problems;
}

async function compareHeads({ vault, backup }: FoundEvents, table: StreamTable): Promise<Problem[]> {
  const digest = makeFileDigest();
  for (const chunk of encodeHeads(table)) digest.update(chunk.plain);
  if (digest.hex() === backup.manifest.headsDigest) return [];
  return [
    problem('heads_differ', 'the events do not give the heads that the manifest names'),
    ...(await nameDifferences(readHeads(vault, backup), table)),
  ];
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
