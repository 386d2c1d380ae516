import { throwIfAborted } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { ChunkFormat, Manifest, ManifestFile } from '../../core/manifest.ts';
import type { Progress } from '../../core/report.ts';
import type { Vault } from '../../core/vault.ts';
import { naming } from '../../format/bundle-damage.ts';
import { storedForm } from '../../format/bundle-keys.ts';
import type { Chain, ChainMember } from '../../format/chain.ts';
import { chunkCodec } from '../../format/chunk-codec.ts';
import { fetchChunks, readIndex, withPlain } from '../../format/data-file-reader.ts';
import type { CommandContext } from '../context.ts';

/** Writes events in one of the formats of an export. */
export interface EventWriter {
  /** The batch is only borrowed. False when nobody reads on. */
  write(batch: EventBatch): Promise<boolean>;
  /** Chunks that are in this format already; left out: none are. */
  readonly asItIs?: { readonly format: ChunkFormat; write(plain: Uint8Array): Promise<boolean> };
  /** All were given: what is still to be written is. False as above. */
  end(): Promise<boolean>;
}

/** Counts what was written. */
export interface EventGoal {
  readonly writer: EventWriter;
  readonly onEvents: (events: number, totals: Pick<Progress, 'totalEvents' | 'totalBytes'>) => void;
}

/** All events that a backup brings back: those of its chain, link by link. */
export async function exportChain(
  context: CommandContext,
  vault: Vault,
  chain: Chain,
  goal: EventGoal,
): Promise<void> {
  const sum = (of: (manifest: Manifest) => number): number =>
    chain.reduce((total, { manifest }) => total + of(manifest), 0);
  const totals = {
    totalEvents: sum(({ totalEvents }) => totalEvents),
    totalBytes: sum(({ plainBytes }) => plainBytes),
  };
  context.progress.step('exporting');
  for (const link of chain) {
    for (const file of link.manifest.files.filter(({ role }) => role === 'events')) {
      const work = () => exportFile(context, vault, { link, file, totals }, goal);
      if (!(await naming(link.folder, work))) return;
    }
  }
  await goal.writer.end();
}

interface EventFile {
  readonly link: ChainMember;
  readonly file: ManifestFile;
  readonly totals: Pick<Progress, 'totalEvents' | 'totalBytes'>;
}

/** False when nobody reads on. */
async function exportFile(
  context: CommandContext,
  vault: Vault,
  { link, file, totals }: EventFile,
  { writer, onEvents }: EventGoal,
): Promise<boolean> {
  const { folder, manifest } = link;
  const from = chunkCodec(manifest.format);
  const form = storedForm(link, file);
  const asItIs = writer.asItIs?.format === manifest.format ? writer.asItIs : null;
  const entries = await readIndex(vault, folder, file, form.seal);
  for await (const chunk of fetchChunks(vault, folder + file.name, entries, { signal: context.signal })) {
    const goesOn = await withPlain(chunk, form, (plain) =>
      asItIs === null ? writer.write(from.decode(plain)) : asItIs.write(plain),
    );
    if (!goesOn) return false;
    onEvents(chunk.entry.records, totals);
  }
  return true;
}

const BATCH_BYTES = 2 << 20;

export async function exportStore(
  context: CommandContext,
  store: EventStore,
  { writer, onEvents }: EventGoal,
): Promise<void> {
  const { signal } = context;
  const snapshot = await store.openSnapshot();
  try {
    const { events, bytes } = await snapshot.estimate();
    context.progress.step('exporting');
    for (const range of await snapshot.planRanges(1)) {
      for await (const batch of snapshot.readRange(range, { batchBytes: BATCH_BYTES, signal })) {
        throwIfAborted(signal);
        if (batch.count === 0) continue;
        if (!(await writer.write(batch))) return;
        onEvents(batch.count, { totalEvents: events, totalBytes: bytes });
      }
    }
    await writer.end();
  } finally {
    await snapshot.close();
  }
}
