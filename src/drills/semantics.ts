import { isDeepStrictEqual } from 'node:util';
import type { StoredEvent } from '../core/event.ts';
import type { EventStore } from '../core/event-store.ts';
import type { StoreInspection } from '../core/inspection.ts';
import type { Chain } from '../format/chain.ts';
import type { DrillContext } from './context.ts';
import { proofFailed } from './points.ts';
import { reservoir } from './sample.ts';

/** What the user knows of his events, and nobody else: statements with what they must give, and functions that fold streams. */
export interface SemanticChecks {
  readonly statements: readonly ExpectedRows[];
  readonly modules: readonly FoldModule[];
}

export interface ExpectedRows {
  readonly name: string;
  readonly sql: string;
  /** A value, or rows of values; texts as the store gives them. */
  readonly expect: ExpectedValue | readonly (readonly ExpectedValue[])[];
}

export type ExpectedValue = string | number | boolean | null;

/** As a decider of Emmett: `initialState`, `evolve`. */
export interface FoldModule {
  readonly name: string;
  readonly initialState: () => unknown;
  readonly evolve: (state: unknown, event: FoldedEvent) => unknown;
  readonly concerns: (streamId: string) => boolean;
}

export interface FoldedEvent {
  readonly type: string;
  readonly data: unknown;
  readonly metadata: unknown;
}

const STATEMENT_TIMEOUT_MS = 600_000;
/** A statement whose condition was forgotten gives a row for each event. */
const MAX_ROWS = 1000;

/** Throws `verification_failed` for the first statement that gives something else, `check_refused` for one that is none. */
export async function checkStatements(context: DrillContext, store: EventStore): Promise<number> {
  const { statements } = context.checks;
  const inspection = await store.openInspection({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  if (inspection === null) throw proofFailed('the restored store answers no statements');
  try {
    for (const { name, sql, expect } of statements) {
      const rows = await rowsOf(inspection, name, sql, context.signal);
      const isRight = Array.isArray(expect)
        ? sameRows(rows, expect as readonly (readonly ExpectedValue[])[])
        : rows.length === 1 && rows[0]!.length === 1 && sameValue(rows[0]![0]!, expect as ExpectedValue);
      if (!isRight) throw proofFailed(`statement ${name} does not give what it must on the restored store`);
    }
    return statements.length;
  } finally {
    await inspection.close();
  }
}

async function rowsOf(
  inspection: StoreInspection,
  name: string,
  sql: string,
  signal: AbortSignal,
): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  const { schemaName, dialect } = inspection.names;
  const settings = dialect === 'postgres' ? { search_path: `"${schemaName!.replaceAll('"', '""')}"` } : {};
  try {
    for await (const row of inspection.select(sql, { settings, limit: MAX_ROWS, signal })) {
      rows.push(Object.values(row));
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw proofFailed(`statement ${name} fails on the restored store: ${JSON.stringify(reason)}`);
  }
  return rows;
}

function sameRows(
  rows: readonly (readonly (string | null)[])[],
  wanted: readonly (readonly ExpectedValue[])[],
): boolean {
  return (
    rows.length === wanted.length &&
    rows.every((row, i) => {
      const expected = wanted[i]!;
      return row.length === expected.length && row.every((value, j) => sameValue(value, expected[j]!));
    })
  );
}

/** Stores say true and numbers in ways of their own. */
function sameValue(value: string | null, expected: ExpectedValue): boolean {
  if (value === null || expected === null) return value === expected;
  if (typeof expected === 'number') return value.trim() !== '' && Number(value) === expected;
  if (typeof expected === 'boolean')
    return (expected ? ['t', 'true', '1'] : ['f', 'false', '0']).includes(value);
  return value === expected;
}

const MAX_STREAMS = 200;
const PAGE_EVENTS = 1000;

/** Whether events have envelopes as metadata (FORMAT.md §25), as those of stores of others do: functions are given what is in them. */
export function isEnveloped(chain: Chain): boolean {
  return chain.at(-1)!.manifest.store.layout !== 'eventcore';
}

/**
 * Folds the same streams of the restored and of the live store, up to the version that was restored, and compares the states. Throws
 * `verification_failed`.
 */
export async function compareFolded(
  context: DrillContext,
  restored: EventStore,
  inEnvelopes: boolean,
): Promise<{ modules: number; streams: number; events: number; comparedWithStore: boolean }> {
  const { checks, store, random, signal } = context;
  const done = { modules: 0, streams: 0, events: 0, comparedWithStore: store !== null };
  for (const module of checks.modules) {
    const sample = await reservoir(concerned(restored, module), MAX_STREAMS, random);
    if (sample.length === 0) throw proofFailed(`${module.name} concerns no stream of the restored store`);
    for (const { streamId, version } of sample) {
      signal.throwIfAborted();
      const folding = { module, streamId, upTo: version, inEnvelopes };
      const here = await fold(restored, folding);
      done.streams += 1;
      done.events += here.events;
      if (store === null) continue;
      const there = await fold(store, folding);
      if (here.events === there.events && isDeepStrictEqual(here.state, there.state)) continue;
      throw proofFailed(
        `${module.name} folds stream ${JSON.stringify(streamId)} up to version ${version} to another state than the live store's`,
      );
    }
    done.modules += 1;
  }
  return done;
}

async function* concerned(
  store: EventStore,
  { concerns }: FoldModule,
): AsyncGenerator<{ streamId: string; version: bigint }> {
  for await (const head of store.listStreams()) if (concerns(head.streamId)) yield head;
}

interface Folding {
  readonly module: FoldModule;
  readonly streamId: string;
  readonly upTo: bigint;
  readonly inEnvelopes: boolean;
}

async function fold(
  store: EventStore,
  { module, streamId, upTo, inEnvelopes }: Folding,
): Promise<{ state: unknown; events: number }> {
  let state = module.initialState();
  let events = 0;
  let fromVersion: bigint | null = null;
  for (;;) {
    const page: StoredEvent[] = await store.readStream(streamId, {
      ...(fromVersion === null ? {} : { fromVersion }),
      limit: PAGE_EVENTS,
    });
    for (const event of page) {
      if (event.version > upTo) return { state, events };
      state = evolve(module, state, event, inEnvelopes);
      events += 1;
    }
    if (page.length < PAGE_EVENTS) return { state, events };
    fromVersion = page.at(-1)!.version + 1n;
  }
}

function evolve(
  module: FoldModule,
  state: unknown,
  { type, data, metadata, version }: StoredEvent,
  inEnvelopes: boolean,
): unknown {
  try {
    const held = metadata === null ? null : JSON.parse(metadata);
    const parsed = {
      type,
      data: JSON.parse(data),
      metadata: inEnvelopes ? (held?.metadata ?? null) : held,
    };
    return module.evolve(state, parsed as FoldedEvent);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw proofFailed(
      `${module.name} cannot fold an event of type ${JSON.stringify(type)} at version ${version}: ${JSON.stringify(reason)}`,
    );
  }
}
