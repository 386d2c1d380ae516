import type { EventFacts } from './event-facts.ts';
import type { Manifest, Oddities } from './manifest.ts';
import { copyStream } from './stream-entry.ts';
import { findStream, makeStreamTable, mergeTable, type StreamTable } from './stream-table.ts';
import { countOddities } from './summary.ts';

/** What a chain holds without an incremental backup: at least of the streams that this one touches. */
export interface ChainBefore {
  readonly manifest: Manifest;
  readonly table: StreamTable;
}

/** The streams that an incremental backup touches: as the chain had them, and as it has them with it. */
export interface TouchedStreams {
  readonly before: StreamTable;
  readonly after: StreamTable;
}

/** `chain` holds at least the streams of `own`, as they were before; neither is changed. */
export function touchStreams(chain: StreamTable, own: StreamTable): TouchedStreams {
  const before = makeStreamTable();
  const after = makeStreamTable();
  for (let at = 0; at < own.count; at += 1) {
    const index = findStream(chain, own.names, own.nameStarts[at]!, own.nameLengths[at]!);
    if (index === -1) continue;
    copyStream(before, chain, index);
    copyStream(after, chain, index);
  }
  mergeTable(after, own);
  return { before, after };
}

/** The oddities of a chain with an incremental backup: `parent` is of the chain without it, `facts` of its own events. */
export function chainOddities(
  parent: Oddities,
  { before, after }: TouchedStreams,
  facts: EventFacts,
  versionBase: number,
): Oddities {
  const was = countOddities(before, facts, versionBase);
  const is = countOddities(after, facts, versionBase);
  return {
    missingVersions: parent.missingVersions + is.missingVersions - was.missingVersions,
    duplicateVersions: parent.duplicateVersions + is.duplicateVersions - was.duplicateVersions,
    oddFirstVersions: parent.oddFirstVersions + is.oddFirstVersions - was.oddFirstVersions,
    emptyFields: parent.emptyFields + is.emptyFields,
    belowBase: parent.belowBase + is.belowBase,
    futureTimes: parent.futureTimes + is.futureTimes,
  };
}
