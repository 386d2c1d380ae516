import { randomInt } from 'node:crypto';
import type { StepFacts } from '../../core/disaster.ts';
import type { PublicName, StoreTrials } from '../../core/disaster-ports.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { StreamSample } from '../../core/inspection.ts';
import { pause } from '../../core/pause.ts';
import { databaseOf, formatPostgresUri, hostsOf, parsePostgresUri } from '../../core/postgres-address.ts';
import type { Vault } from '../../core/vault.ts';
import { withDeadline } from '../../disaster/deadline.ts';
import { findGhosts } from '../../disaster/ghosts.ts';
import { ghostFacts } from '../../disaster/vanished.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { BUILT_IN_CHECKS } from '../../integrity/checks/built-in.ts';
import { type CheckDefinition, CLOCK_TOLERANCE_MS } from '../../integrity/checks/check.ts';
import { type ChecksReport, runChecks } from '../../integrity/checks/run.ts';
import { SERVER_SAFETY } from '../../integrity/checks/server-safety.ts';
import { type KnownStreams, knownStreams } from '../../integrity/monitor/known-streams.ts';
import { newestChain } from '../../integrity/monitor/newest-chain.ts';
import { readIdentity, type StoreIdentity, whyNotSame } from '../../integrity/store-identity.ts';
import { probeWrites } from '../../integrity/write-probe.ts';
import { isSameStore, storeScheme } from '../address.ts';
import { beginStep } from '../context.ts';
import { openStore } from '../wire.ts';
import { type DrWork, withDrStore } from './restore-places.ts';

export interface DrTrialsOptions {
  readonly planId: string;
  /** Null where no name is switched. */
  readonly name: Pick<PublicName, 'name' | 'read'> | null;
  /** How long the address that applications use may still lead elsewhere: what resolvers have kept. */
  readonly lagMs: number;
  /** About how many events are looked at before applications are let in; left out: 2 million, about 20 s. */
  readonly mostEvents?: number;
}

export function drTrials(work: DrWork, options: DrTrialsOptions): StoreTrials {
  return {
    examine: (shown, { signal }) =>
      withDrStore(work, shown, signal, (store) => {
        beginStep(work.context, `checking ${store.address}`);
        return examine(store, work, options, signal);
      }),
    probeWrites: (shown, { signal }) =>
      withDrStore(work, shown, signal, async (store) => {
        const { ids, lastVersion } = await probeWrites(store, probeOf(options));
        return {
          stream: probeOf(options).streamId,
          eventId: ids.at(-1) ?? null,
          version: String(lastVersion),
        };
      }),
    probePublic: (shown, { signal }) =>
      withDrStore(work, shown, signal, (store, address) =>
        probePublic(work, { options, store, address, probe: probeOf(options), signal }),
      ),
  };
}

/** A plan's own stream: whoever goes on with the plan goes on with it. */
function probeOf({ planId }: DrTrialsOptions) {
  return { streamId: `eventcore-recovery-${planId}`, type: 'RecoveryProbe' };
}

/** A large store takes a while, and no application is let in before. */
const STATEMENT_TIMEOUT_MS = 3_600_000;

async function examine(
  store: EventStore,
  work: DrWork,
  { mostEvents = MOST_EVENTS }: DrTrialsOptions,
  signal: AbortSignal,
): Promise<StepFacts> {
  const inspection = await store.openInspection({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  if (inspection === null) return { checks: 0, skipped: BUILT_IN_CHECKS.length };
  const parts = partsOf(await estimateEvents(store), mostEvents);
  const sample = parts === 1 ? null : { seed: randomInt(2 ** 32), of: parts, buckets: [randomInt(parts)] };
  const { known, release } = await findKnown(work, sample ?? ALL_STREAMS, signal);
  try {
    const report = await runChecks(inspection, checksFor(parts), {
      signal,
      settings: {
        ...{ sample, requiredMetadata: [], known },
        clockToleranceMs: work.settings.monitor.clock_tolerance ?? CLOCK_TOLERANCE_MS,
      },
    });
    const ghosts = ghostFacts(await findGhosts(inspection, signal));
    return { ...judge(report), ...ghosts, streams: parts === 1 ? 'all' : `1 of ${parts} parts` };
  } finally {
    release();
    await inspection.close();
  }
}

/** To look at more would hold applications up for longer than it is worth: the monitor goes on with the rest. */
const MOST_EVENTS = 2_000_000;
const MOST_PARTS = 1000;

function partsOf(events: number, mostEvents: number): number {
  return Math.min(MOST_PARTS, Math.max(1, Math.ceil(events / mostEvents)));
}

/** What looks at all of a large store, whatever the sample, waits for the monitor; what asks the server does not. */
function checksFor(parts: number): readonly CheckDefinition[] {
  if (parts === 1) return BUILT_IN_CHECKS;
  return BUILT_IN_CHECKS.filter(({ every, name }) => every === 'run' || name === SERVER_SAFETY.name);
}

const USUAL_EVENT_BYTES = 250;

async function estimateEvents(store: EventStore): Promise<number> {
  const snapshot = await store.openSnapshot();
  try {
    const { events, bytes } = await snapshot.estimate();
    // A server that has just been restored has not counted yet.
    return events ?? (bytes ?? 0) / USUAL_EVENT_BYTES;
  } finally {
    await snapshot.close();
  }
}

const ALL_STREAMS: StreamSample = { seed: 0, of: 1, buckets: [0] };
const NOTHING_KNOWN: KnownStreams = { known: () => null, release: () => {} };

/** A vault of a lost region may say nothing at all. */
const KNOWN_MS = 20_000;

/** Gaps that the store always had keep no recovery up: the first vault that has a backup tells of them. */
async function findKnown(work: DrWork, sample: StreamSample, signal: AbortSignal): Promise<KnownStreams> {
  for (const { vault } of work.vaults.open) {
    try {
      return await withDeadline(`reading ${vault.address}`, KNOWN_MS, signal, () =>
        knownIn(vault, work.keys, sample),
      );
    } catch (error) {
      if (!isBackupError(error) || error.code === 'interrupted') throw error;
    }
  }
  return NOTHING_KNOWN;
}

async function knownIn(vault: Vault, keys: ReadKeys, sample: StreamSample): Promise<KnownStreams> {
  const chain = await newestChain(vault, keys);
  const isOdd = chain.some(({ manifest: { oddities } }) => Object.values(oddities).some((n) => n !== 0));
  return isOdd ? knownStreams(vault, chain, sample) : NOTHING_KNOWN;
}

function judge({ checks }: ChecksReport): StepFacts {
  const failed = checks.find(({ state }) => state === 'failed');
  if (failed !== undefined)
    throw notSound(`check ${failed.name} could not be asked: ${failed.reason ?? 'no reason was given'}`);
  const found = checks.flatMap(({ findings }) => findings);
  const damage = found.filter(({ severity }) => severity === 'damage');
  const [first] = damage;
  if (first !== undefined) {
    const more = damage.length === 1 ? '' : `, and ${damage.length - 1} more findings`;
    throw notSound(`the store is not sound: ${first.check}: ${first.message}${more}`);
  }
  const risks = [...new Set(found.map(({ check }) => check))];
  return {
    checks: checks.filter(({ state }) => state !== 'skipped').length,
    skipped: checks.filter(({ state }) => state === 'skipped').length,
    risks: risks.length,
    riskNames: risks.join(', ') || null,
  };
}

function notSound(message: string): BackupError {
  return new BackupError('verification_failed', message, {
    hint: 'run `eventcore monitor --once --all --repair` on the store to see all of it, and what can be repaired',
  });
}

interface PublicProbe {
  readonly options: DrTrialsOptions;
  readonly store: EventStore;
  readonly address: string;
  readonly probe: ReturnType<typeof probeOf>;
  readonly signal: AbortSignal;
}

async function probePublic(work: DrWork, probe: PublicProbe): Promise<StepFacts> {
  const { options, store, address, signal } = probe;
  const { disaster } = work;
  const wanted = storeScheme(address) === 'postgres' ? await readIdentity(store, signal) : null;
  const byName = options.name === null ? {} : await probeByName(work, probe, options.name, wanted);
  const byAddress =
    disaster.public === null ? {} : await probeByAddress(probe, disaster.public, wanted, work);
  if (options.name !== null || disaster.public !== null) return { ...byName, ...byAddress };
  return { public: 'no public name and no public address is configured' };
}

/** What the name says where it is kept: no resolver stands in between. */
async function probeByName(
  work: DrWork,
  probe: PublicProbe,
  name: NonNullable<DrTrialsOptions['name']>,
  wanted: StoreIdentity | null,
): Promise<StepFacts> {
  const value = await name.read({ signal: probe.signal });
  if (value === null) {
    throw new BackupError('verification_failed', `there is no record of the name ${name.name}`, {
      hint: 'see whether the step that switches the name was done: `eventcore dr status`',
    });
  }
  const address = withHost(work.disaster.public ?? probe.address, probe.address, value);
  const said = await writeThrough(probe, address, wanted, `${name.name} leads to ${value}`);
  if (said !== null) throw leadsElsewhere(`the name ${name.name} leads to ${value}`, said);
  return { name: name.name, nameValue: value, nameProven: true };
}

/** Name and password as for the server itself, port and database as applications ask for them. */
function withHost(publicAddress: string, own: string, value: string): string {
  const [asked, uri] = [parsePostgresUri(publicAddress), parsePostgresUri(own)];
  if (asked === null || uri === null) return own;
  const { port = '' } = hostsOf(asked)[0] ?? {};
  const parameters = [...uri.parameters].filter(
    ([name]) => !['host', 'hostaddr', 'port', 'dbname'].includes(name),
  );
  return formatPostgresUri({
    ...{ ...uri, parameters: new Map(parameters), database: databaseOf(asked) },
    hosts: [{ host: value.replace(/\.$/, ''), port }],
  });
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2000;

/** As applications find it, by the resolver of this host: it may lag behind the name. */
async function probeByAddress(
  probe: PublicProbe,
  publicAddress: string,
  wanted: StoreIdentity | null,
  { context }: DrWork,
): Promise<StepFacts> {
  const { options, signal } = probe;
  const startedMs = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    const said = await tryThrough(probe, publicAddress, wanted);
    const tookMs = Math.round(performance.now() - startedMs);
    if (said === null) return { publicProven: true, publicMs: tookMs };
    const isOver = tookMs + pauseMs > options.lagMs;
    if (isOver && options.name === null) throw leadsElsewhere('the public address leads elsewhere', said);
    if (isOver) {
      context.log.warn(`the public address does not lead to the new store yet: ${said}`);
      return { publicProven: false, publicMs: tookMs, publicSays: said };
    }
    await pause(pauseMs, signal);
  }
}

/** Why not, in words; a server that is not there any more is an answer too. */
async function tryThrough(
  probe: PublicProbe,
  address: string,
  wanted: StoreIdentity | null,
): Promise<string | null> {
  try {
    return await writeThrough(probe, address, wanted, 'the public address');
  } catch (error) {
    if (!isBackupError(error, 'store_unreachable', 'store_refused', 'not_an_event_store')) throw error;
    return error.message;
  }
}

/** Nothing is written before it is known whose server this is: the old primary must not get an event more. */
async function writeThrough(
  { store, probe, signal, address: own }: PublicProbe,
  address: string,
  wanted: StoreIdentity | null,
  what: string,
): Promise<string | null> {
  const through = await openStore(address);
  try {
    const found = await readIdentity(through, signal);
    if (wanted === null || found === null) {
      if (!isSameStore(own, address)) return 'it is another store';
    } else {
      const difference = whyNotSame(wanted, found);
      if (difference !== null) return difference;
    }
    const { ids, lastVersion } = await probeWrites(through, probe);
    const [seen] = await store.readStream(probe.streamId, { fromVersion: lastVersion, limit: 1 });
    if (seen?.id === ids.at(-1)) return null;
    throw new BackupError('verification_failed', `what was written through ${what} is not in the store`);
  } finally {
    await through.close();
  }
}

function leadsElsewhere(what: string, said: string): BackupError {
  return new BackupError('verification_failed', `${what}: ${said}`, {
    hint: 'nothing was written there; see `eventcore dr status`, and where the name points to',
  });
}
