import type { EventStore } from '../core/event-store.ts';
import { chainTotals } from '../format/chain.ts';
import { readChainHeads } from '../format/chain-heads.ts';
import type { HeadLine } from '../format/heads.ts';
import { restoreStreams } from '../recovery/restore-streams.ts';
import { meteredVault } from '../vaults/wrappers/metered.ts';
import { readOnlyVault } from '../vaults/wrappers/read-only.ts';
import { type DrillContext, skipped, type TestOutcome } from './context.ts';
import { proofFailed } from './points.ts';
import { type RestoreSource, withTarget } from './restored.ts';
import { countSample, reservoir } from './sample.ts';
import { compareFolded, isEnveloped } from './semantics.ts';
import { probeRestored } from './write-probe.ts';

/** More streams than this prove no more. */
const MAX_STREAMS = 10_000;
/** Streams whose events are held against the live store's, one by one. */
const MAX_COMPARED = 100;

/** Restores some streams of a chain, each as likely as any other, and judges what came of it. */
export async function restoreSample(context: DrillContext, source: RestoreSource): Promise<TestOutcome> {
  const { chain, vault } = source;
  const { samplePercentage } = context.settings;
  const { totalStreams } = chainTotals(chain.at(-1)!.manifest);
  if (totalStreams === 0) return skipEmpty(context);
  if (samplePercentage <= 0) {
    throw proofFailed(
      'a sample of 0 % restores nothing, and proves nothing',
      'set drill.sample_restore_percentage to 1 or more',
    );
  }
  const sample = await context.step('draw a sample', async (facts) => {
    const size = countSample(totalStreams, samplePercentage, MAX_STREAMS);
    const heads = await reservoir(readChainHeads(vault, chain), size, context.random);
    facts.streams = heads.length;
    return heads;
  });
  await withTarget(context, async ({ store, tryGuards, ...target }) => {
    await context.step('restore streams', async (facts) => {
      Object.assign(facts, await restore(context, source, store, sample));
    });
    await context.step('compare with the backup', async () => compareHeads(store, sample));
    await compareWithStore(context, store, sample);
    if (context.checks.modules.length > 0) await foldSample(context, store, isEnveloped(chain));
    await context.step('write probe', async (facts) => {
      Object.assign(facts, await probeRestored({ ...target, store, tryGuards }));
    });
  });
  return null;
}

/** An empty backup of a store that is not: another store's, or one that was taken before there was anything. */
async function skipEmpty({ store }: DrillContext): Promise<TestOutcome> {
  const { events } = (await store?.count()) ?? { events: 0 };
  if (events === 0) return skipped('the backup holds no stream');
  throw proofFailed(`the backup holds no event, and the store has ${events}`, 'take a backup of this store');
}

async function restore(
  context: DrillContext,
  { chain, vault, region, decidedMs }: RestoreSource,
  target: EventStore,
  sample: readonly HeadLine[],
): Promise<Record<string, string | number>> {
  const { clock, signal, measure, test } = context;
  const metered = meteredVault(readOnlyVault(vault));
  const startedMs = performance.now();
  const report = await restoreStreams(
    { target, vault: metered.vault, clock },
    { chain, log: null },
    { streamIds: sample.map(({ streamId }) => streamId), replace: false, envelopes: 'keep', signal },
  );
  const { backupId } = chain.at(-1)!.manifest;
  const ms = performance.now() - startedMs;
  const events = report.eventsRestored;
  const eventsPerSecond = Math.round((events * 1000) / Math.max(1, ms));
  const restoreMs = Math.round(performance.now() - decidedMs);
  const phases = [{ name: 'reading and loading streams', ms: Math.round(ms) }];
  const { bytesRead: bytes } = metered.read();
  measure({ test, region, backupId, restoreMs, phases, events, bytes, eventsPerSecond });
  return { region, events, streams: report.streamsRestored };
}

/** Each stream is there, whole, and no other. */
async function compareHeads(store: EventStore, sample: readonly HeadLine[]): Promise<void> {
  const expected = new Map(sample.map((head) => [head.streamId, head]));
  for await (const { streamId, version, events } of store.listStreams()) {
    const head = expected.get(streamId);
    if (head === undefined || head.events !== events || BigInt(head.lastVersion) !== version)
      throw proofFailed(`stream ${JSON.stringify(streamId)} is not restored as the backup has it`);
    expected.delete(streamId);
  }
  if (expected.size > 0) throw proofFailed(`${expected.size} streams of the sample were not restored`);
}

async function compareWithStore(
  context: DrillContext,
  restored: EventStore,
  sample: readonly HeadLine[],
): Promise<void> {
  const { store } = context;
  if (store === null) return;
  await context.step('compare with the live store', async (facts) => {
    facts.streams = 0;
    for (const { streamId, lastVersion } of sample.slice(0, MAX_COMPARED)) {
      context.signal.throwIfAborted();
      await compareStream(restored, store, streamId, BigInt(lastVersion));
      facts.streams += 1;
    }
  });
}

const PAGE_EVENTS = 1000;

/** Every id, version and type, data and metadata up to a version. */
async function compareStream(
  restored: EventStore,
  live: EventStore,
  streamId: string,
  upTo: bigint,
): Promise<void> {
  let fromVersion = 0n;
  for (;;) {
    const page = { fromVersion, limit: PAGE_EVENTS };
    const here = await restored.readStream(streamId, page);
    const there = (await live.readStream(streamId, page)).filter(({ version }) => version <= upTo);
    const isSame =
      here.length === there.length &&
      here.every((event, i) => {
        const other = there[i]!;
        return (
          event.id.toLowerCase() === other.id.toLowerCase() &&
          event.version === other.version &&
          event.type === other.type &&
          sameJson(event.data, other.data) &&
          sameJson(event.metadata, other.metadata)
        );
      });
    if (!isSame)
      throw proofFailed(
        `stream ${JSON.stringify(streamId)} is another one in the live store than in the backup`,
      );
    if (here.length < PAGE_EVENTS) return;
    fromVersion = here.at(-1)!.version + 1n;
  }
}

/** A database with jsonb writes it in another way. */
function sameJson(a: string | null, b: string | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  const [one, other] = [readJson(a), readJson(b)];
  return one !== undefined && other !== undefined && canonical(one) === canonical(other);
}

/** Undefined for what is no JSON, as a store of text may have it. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** A module may concern none of the streams that were drawn: that is no fault of a sample. */
async function foldSample(context: DrillContext, store: EventStore, inEnvelopes: boolean): Promise<void> {
  await context.step('state folded by the user', async (facts) => {
    const names: string[] = [];
    for await (const { streamId } of store.listStreams()) names.push(streamId);
    const modules = context.checks.modules.filter(({ concerns }) => names.some(concerns));
    const checks = { ...context.checks, modules };
    Object.assign(facts, await compareFolded({ ...context, checks }, store, inEnvelopes));
  });
}
