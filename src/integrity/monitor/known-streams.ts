import { isBackupError } from '../../core/errors.ts';
import type { StreamSample } from '../../core/inspection.ts';
import { nameBytes } from '../../core/name-text.ts';
import { bucketFilter } from '../../core/stream-bucket.ts';
import { findStream, releaseTable, type StreamTable, streamFacts } from '../../core/stream-table.ts';
import type { Vault } from '../../core/vault.ts';
import { headsRole } from '../../format/bundle-keys.ts';
import type { Chain } from '../../format/chain.ts';
import { loadSomeHeads } from '../../format/chain-heads.ts';
import type { CheckSettings } from '../checks/check.ts';

export interface KnownStreams {
  readonly known: CheckSettings['known'];
  readonly release: () => void;
}

const NOTHING: KnownStreams = { known: () => null, release: () => {} };

/** What a chain says of the streams of a sample, so that gaps which the store always had are not taken for damage. */
export async function knownStreams(
  vault: Vault,
  chain: Chain | null,
  sample: StreamSample,
): Promise<KnownStreams> {
  if (chain === null) return NOTHING;
  try {
    for (const link of chain) headsRole(link);
    const heads = await loadSomeHeads(vault, chain, bucketFilter(sample));
    return { known: (streamId) => knownOf(heads, streamId), release: () => releaseTable(heads) };
  } catch (error) {
    // What cannot be read of a backup is said by the comparison.
    if (isBackupError(error) && (error.code === 'damaged' || error.code.startsWith('key_'))) return NOTHING;
    throw error;
  }
}

function knownOf(heads: StreamTable, streamId: string): ReturnType<CheckSettings['known']> {
  const name = nameBytes(streamId);
  const index = findStream(heads, name, 0, name.length);
  if (index === -1) return null;
  const { firstVersion, gaps, duplicates } = streamFacts(heads, index);
  return { firstVersion, gaps, duplicates };
}
