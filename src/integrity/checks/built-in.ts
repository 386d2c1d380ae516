import type { CheckDefinition } from './check.ts';
import { CHECKPOINTS } from './checkpoints.ts';
import { CHECKSUM_FAILURES } from './checksum-failures.ts';
import { CONSTRAINTS } from './constraints.ts';
import { EVENT_FIELDS } from './event-fields.ts';
import { EVENT_TIMES } from './event-times.ts';
import { GUARDS } from './guards.ts';
import { INDEX_AGREES } from './index-agrees.ts';
import { INDEX_STRUCTURE } from './index-structure.ts';
import { INDEXES } from './indexes.ts';
import { PAYLOADS } from './payloads.ts';
import { REQUIRED_METADATA } from './required-metadata.ts';
import { SEQUENCES } from './sequences.ts';
import { SERVER_SAFETY } from './server-safety.ts';
import { SNAPSHOTS } from './snapshots.ts';
import { STREAM_DUPLICATES } from './stream-duplicates.ts';
import { STREAM_GAPS } from './stream-gaps.ts';
import { STREAM_TIMES } from './stream-times.ts';
import { UNIQUE_IDS } from './unique-ids.ts';
import { UNIQUE_IDS_WHOLE } from './unique-ids-whole.ts';

/** All checks of a live store, in the order in which the manual lists them. */
export const BUILT_IN_CHECKS: readonly CheckDefinition[] = [
  ...[GUARDS, CONSTRAINTS, INDEXES, SEQUENCES, CHECKPOINTS, CHECKSUM_FAILURES],
  ...[STREAM_GAPS, STREAM_DUPLICATES, STREAM_TIMES, UNIQUE_IDS, EVENT_FIELDS, EVENT_TIMES],
  ...[PAYLOADS, REQUIRED_METADATA, INDEX_AGREES, SNAPSHOTS],
  ...[INDEX_STRUCTURE, UNIQUE_IDS_WHOLE, SERVER_SAFETY],
];
