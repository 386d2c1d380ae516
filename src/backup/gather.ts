import { type EventFacts, makeFacts, mergeFacts } from '../core/event-facts.ts';
import type { ManifestFile } from '../core/manifest.ts';
import { makeStages, mergeStages, type Stages } from '../core/stages.ts';
import { makeStreamTable, mergeTable, releaseTable, type StreamTable } from '../core/stream-table.ts';
import type { RangeResult } from './range.ts';

/** Several event files, taken together. */
export interface Gathered {
  readonly files: ManifestFile[];
  readonly facts: EventFacts;
  readonly stages: Stages;
  table: StreamTable;
}

export function makeGathered(): Gathered {
  return { files: [], facts: makeFacts(), stages: makeStages(), table: makeStreamTable() };
}

/** Adds a result, or what was gathered of several; its table is taken over, since each may name every stream. */
export function gather(gathered: Gathered, { files, facts, stages, table }: RangeResult): void {
  for (const file of files) gathered.files.push(file);
  mergeFacts(gathered.facts, facts);
  mergeStages(gathered.stages, stages);
  if (gathered.table.count === 0) {
    releaseTable(gathered.table);
    gathered.table = table;
  } else {
    mergeTable(gathered.table, table);
    releaseTable(table);
  }
}
