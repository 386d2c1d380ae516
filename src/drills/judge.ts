import { searchStreams } from '../format/chain-events.ts';
import { readChainHeads } from '../format/chain-heads.ts';
import { addToContentDigest, contentDigestText, makeContentDigest } from '../format/content-digest.ts';
import type { HeadLine } from '../format/heads.ts';
import { digestStore } from '../integrity/store-digest.ts';
import { compareSummaries } from '../recovery/compare-summaries.ts';
import type { DrillContext } from './context.ts';
import { type ExpectedStreams, findUnsound } from './integrity-checks.ts';
import { proofFailed } from './points.ts';
import type { RestoredStore } from './restored.ts';
import { checkStatements, compareFolded, isEnveloped } from './semantics.ts';
import { probeRestored } from './write-probe.ts';

/**
 * Judges a whole store that was restored, by more than that the restore did not fail: what it holds, by the backup; what it is, by the
 * checks of a live store; what it means, by the user's own; and that it can be gone on with. The last writes into it.
 */
export async function judgeStore(context: DrillContext, restored: RestoredStore): Promise<void> {
  const { step } = context;
  await step('counts and heads', async (facts) => {
    Object.assign(facts, await compareHeads(context, restored));
  });
  await step('digest of all events', async (facts) => {
    facts.compared = await compareDigests(context, restored);
  });
  await step('integrity checks', async (facts) => {
    Object.assign(facts, await findUnsound(context, restored.target.store, await expectedStreams(restored)));
  });
  await judgeMeaning(context, restored);
  await step('write probe', async (facts) => {
    Object.assign(facts, await probeRestored(restored.target));
  });
}

async function judgeMeaning(context: DrillContext, restored: RestoredStore): Promise<void> {
  const { statements, modules } = context.checks;
  if (statements.length > 0) {
    await context.step('statements of the user', async (facts) => {
      facts.statements = await checkStatements(context, restored.target.store);
    });
  }
  if (modules.length > 0) {
    await context.step('state folded by the user', async (facts) => {
      const { target, source } = restored;
      Object.assign(facts, await compareFolded(context, target.store, isEnveloped(source.chain)));
    });
  }
}

/** By the heads of the chain; where a log was replayed, by what the restore itself held against chain and log. */
async function compareHeads(
  { signal }: DrillContext,
  { target, source, events, streams }: RestoredStore,
): Promise<{ events: number; streams: number }> {
  const counted = await target.store.count();
  if (counted.events !== events || counted.streams !== streams) {
    throw proofFailed(
      `the restored store has ${counted.events} events in ${counted.streams} streams, ${events} in ${streams} were restored`,
    );
  }
  if (source.recovery?.log != null) return counted;
  const snapshot = await target.store.openSnapshot();
  try {
    signal.throwIfAborted();
    return await compareSummaries(snapshot.readSummaries(), readChainHeads(source.vault, source.chain));
  } finally {
    await snapshot.close();
  }
}

/** Every byte of every event, read from the vault once more and from the store: another way than the restore took. */
async function compareDigests({ signal }: DrillContext, { target, source }: RestoredStore): Promise<boolean> {
  const { chain, vault, recovery } = source;
  const { kind } = await target.store.inspect();
  // A database with jsonb gives texts back in another form.
  if (recovery?.log != null || kind !== chain.at(-1)!.manifest.store.kind) return false;
  const content = makeContentDigest();
  await searchStreams(vault, chain, {
    names: () => 'all',
    take: (batch) => addToContentDigest(content, batch),
    signal,
  });
  const held = await digestStore(target.store);
  if (held.digest === contentDigestText(content)) return true;
  throw proofFailed('the events of the restored store are not those of the backup: their digests differ');
}

async function expectedStreams({ source }: RestoredStore): Promise<ExpectedStreams> {
  const { versionBase } = source.chain.at(-1)!.manifest.store;
  const known = new Map<string, HeadLine>();
  for await (const head of readChainHeads(source.vault, source.chain)) {
    const isOdd = head.gaps !== undefined || head.duplicates !== undefined || head.firstVersion > versionBase;
    if (isOdd && known.size < MOST_KNOWN) known.set(head.streamId, head);
  }
  return { known, versionBase };
}

const MOST_KNOWN = 100_000;
