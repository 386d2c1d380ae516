import type { EventFacts } from './event-facts.ts';
import type { EventRange, Oddities } from './manifest.ts';
import { type StreamTable, streamFacts } from './stream-table.ts';
import { formatTime } from './time.ts';

/** What a manifest says of its events, counted alike when they are backed up and when they are verified. */
export function eventRange(facts: EventFacts): EventRange | null {
  if (facts.events === 0) return null;
  return {
    earliestEvent: formatTime(facts.minTime),
    latestEvent: formatTime(facts.maxTime),
    earliestVersion: String(facts.minVersion),
    latestVersion: String(facts.maxVersion),
  };
}

export function countOddities(table: StreamTable, facts: EventFacts, versionBase: number): Oddities {
  const found = { missingVersions: 0, duplicateVersions: 0, oddFirstVersions: 0 };
  for (let index = 0; index < table.count; index += 1) {
    const stream = streamFacts(table, index);
    for (const [first, last] of stream.gaps) found.missingVersions += last - first + 1;
    found.duplicateVersions += stream.duplicates;
    if (stream.firstVersion !== versionBase) found.oddFirstVersions += 1;
  }
  return {
    ...found,
    emptyFields: facts.emptyFields,
    belowBase: facts.belowBase,
    futureTimes: facts.futureTimes,
  };
}
