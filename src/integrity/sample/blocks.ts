import { isBackupError, throwIfAborted } from '../../core/errors.ts';
import { type EventBatch, NULL_LENGTH } from '../../core/event-batch.ts';
import { idText } from '../../core/event-id.ts';
import type { BlockPlan, StoreSnapshot } from '../../core/event-store.ts';
import type { Finding } from '../../core/finding.ts';
import { nameText } from '../../core/name-text.ts';
import { streamName } from '../../core/stream-table.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import { eventBytes } from '../batch-bytes.ts';
import type { FindingList } from '../finding-list.ts';
import { compareNoted } from './compare-noted.ts';
import { EVENT_FAULTS, type EventFault, type FaultLimits, faultOf } from './event-faults.ts';
import {
  makeNotedEvents,
  NOTED,
  type NotedEvents,
  notedId,
  noteEvent,
  releaseNoted,
} from './noted-events.ts';

export interface BlockSampling {
  readonly snapshot: StoreSnapshot;
  readonly plan: BlockPlan;
  /** Numbers of the blocks, ascending. */
  readonly blocks: readonly number[];
  /** What to hold the events against; why that is not to be had, otherwise. */
  readonly against: Against | string;
  readonly limits: FaultLimits;
  readonly findings: FindingList;
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
  /** Events that are held against the backup in one go. */
  readonly portionEvents?: number;
}

export interface Against {
  readonly vault: Vault;
  readonly chain: Chain;
}

export interface SampledBlocks {
  readonly events: number;
  /** Events that the backup has too and that were held against it. */
  readonly compared: number;
  /** Why not all of them were; null when they were. */
  readonly skipped: string | null;
  /** The block in whose reading the store was lost, and how; null: all were read. */
  readonly lost: { readonly block: number; readonly message: string } | null;
}

/**
 * Reads blocks of a view, looks at each event and holds it, byte for byte, against the newest backup of a chain that has it. A block that the
 * store cannot read is a finding, and the others are read all the same. What an event has always been like, by the backup, is no finding but for
 * metadata that the configuration requires.
 */
export async function sampleBlocks(sampling: BlockSampling): Promise<SampledBlocks> {
  const run = makeRun(sampling);
  let lost: SampledBlocks['lost'] = null;
  for (const block of sampling.blocks) {
    throwIfAborted(sampling.signal);
    try {
      await readBlock(sampling, run, block);
    } catch (error) {
      if (isBackupError(error, 'store_unreachable')) {
        lost = { block, message: error.message };
        break;
      }
      // What the store says of an event's bytes, and not of itself or the way to it.
      if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
      sampling.findings.add(unreadable(block, `cannot be read: ${error.message}`));
    }
  }
  await endPortion(sampling, run);
  return { events: run.events, compared: run.compared, skipped: run.skipped, lost };
}

interface Run {
  noted: NotedEvents;
  against: Against | null;
  skipped: string | null;
  events: number;
  compared: number;
}

function makeRun({ against }: BlockSampling): Run {
  const isReason = typeof against === 'string';
  return {
    noted: makeNotedEvents(),
    against: isReason ? null : against,
    skipped: isReason ? against : null,
    ...{ events: 0, compared: 0 },
  };
}

/** A block has some 256 KiB of events. */
const BATCH_BYTES = 512 << 10;

/** Some 10 MiB. */
const PORTION_EVENTS = 100_000;

async function readBlock(sampling: BlockSampling, run: Run, block: number): Promise<void> {
  const { snapshot, plan, limits, pace, signal, portionEvents = PORTION_EVENTS } = sampling;
  const options = { batchBytes: BATCH_BYTES, ...(signal === undefined ? {} : { signal }) };
  for await (const batch of snapshot.readRange(plan.range(block), options)) {
    for (let row = 0; row < batch.count; row += 1) {
      const fault = faultOf(batch, row, limits);
      if (run.against === null) {
        if (fault !== null) sampling.findings.add(faulty(fault, eventAt(batch, row), block));
        continue;
      }
      noteEvent(run.noted, batch, row, { block, mark: fault === null ? 0 : 1 + FAULTS.indexOf(fault) });
      if (run.noted.count >= portionEvents) await endPortion(sampling, run);
    }
    run.events += batch.count;
    await pace(eventBytes(batch));
  }
}

const FAULTS = Object.keys(EVENT_FAULTS) as EventFault[];

async function endPortion(sampling: BlockSampling, run: Run): Promise<void> {
  const { noted, against } = run;
  if (noted.count > 0 && against !== null) {
    try {
      await compareNoted(noted, { ...against, signal: sampling.signal });
    } catch (error) {
      if (!isBackupError(error) || error.code === 'interrupted') throw error;
      run.against = null;
      run.skipped = error.message;
    }
    for (let at = 0; at < noted.count; at += 1) judge(sampling, run, at);
  }
  releaseNoted(noted);
  run.noted = makeNotedEvents();
}

function judge({ findings }: BlockSampling, run: Run, at: number): void {
  const { noted } = run;
  const state = noted.state[at]!;
  const mark = noted.mark[at]!;
  const fault = mark === 0 ? null : FAULTS[mark - 1]!;
  if (state !== NOTED.open && state !== NOTED.later) run.compared += 1;
  const event = (): EventName => ({
    streamId: nameText(streamName(noted.streams, noted.stream[at]!)),
    version: noted.version[at]!,
    eventId: notedId(noted, at),
  });
  const block = noted.block[at]!;
  const difference = DIFFERENCES[state];
  if (difference !== undefined) findings.add(different(difference, event(), block));
  else if (fault !== null && (state !== NOTED.equal || fault === 'event_metadata_missing'))
    findings.add(faulty(fault, event(), block));
}

interface EventName {
  readonly streamId: string;
  readonly version: number;
  readonly eventId: string;
}

function eventAt(batch: EventBatch, row: number): EventName {
  const [start, length] = [batch.stream.starts[row]!, batch.stream.lengths[row]!];
  const name = length === NULL_LENGTH ? new Uint8Array(0) : batch.bytes.subarray(start, start + length);
  return { streamId: nameText(name), version: batch.versions[row]!, eventId: idText(batch, row) };
}

interface Difference {
  readonly check: string;
  readonly text: string;
  readonly repair: Finding['repair'];
}

const DIFFERENCES: Readonly<Record<number, Difference>> = {
  [NOTED.changed]: {
    check: 'event_changed',
    text: 'is not as it was backed up',
    repair: 'put_back_events',
  },
  [NOTED.other]: {
    check: 'event_replaced',
    text: 'stands where the backup has another event',
    // Put back is what the backup has elsewhere, or a copy of what it has; of two that differ a person has to say which is right.
    repair: 'put_back_events',
  },
  [NOTED.unknown]: {
    check: 'event_unknown',
    text: 'stands where the backup has none, before others that it has; a person has to say whether it belongs there',
    repair: null,
  },
};

function different({ check, text, repair }: Difference, event: EventName, block: number): Finding {
  return {
    ...about(event, block),
    check,
    rung: 'comparison',
    severity: 'damage',
    repair,
    message: said(event, text),
  };
}

function faulty(fault: EventFault, event: EventName, block: number): Finding {
  // It is as its application wrote it.
  const severity = fault === 'event_metadata_missing' ? 'risk' : 'damage';
  const message = said(event, EVENT_FAULTS[fault]);
  return { ...about(event, block), check: fault, rung: 'blocks', severity, repair: null, message };
}

function about({ streamId, version, eventId }: EventName, block: number) {
  const place = { kind: 'block', number: block } as const;
  return { streamId, version: String(version), eventId, object: null, events: 1, place };
}

function said({ streamId, version, eventId }: EventName, text: string): string {
  return `event ${eventId} (version ${version} of stream ${JSON.stringify(streamId)}) ${text}`;
}

export function unreadable(block: number, text: string): Finding {
  return {
    ...{ check: 'block_unreadable', rung: 'blocks', severity: 'damage', repair: null, events: 0 },
    ...{
      streamId: null,
      version: null,
      eventId: null,
      object: null,
      place: { kind: 'block', number: block },
    },
    message: `block ${block} of the events ${text}`,
  };
}
