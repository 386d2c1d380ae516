import type { TrustPolicy } from '../../core/trust.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import { chainObjects } from '../../upkeep/chain-objects.ts';
import type { ExportSink } from './sink.ts';
import { TAR_END, tarHeader, tarPadding } from './tar.ts';

export interface BundleOptions {
  readonly trust: TrustPolicy;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/**
 * A chain as a tar file of its folders, as they lie in a vault: unpacked into a directory they are one. The same chain gives the same bytes, whichever
 * copy of it is read. Every byte is proven on the way; what is damaged ends the file before its end. False when nobody reads on.
 */
export async function writeBundle(
  vault: Vault,
  chain: Chain,
  sink: ExportSink,
  { trust, signal, onBytes }: BundleOptions,
): Promise<boolean> {
  for await (const { name, sizeBytes, finishedAtMs, read } of chainObjects(vault, chain, { trust, signal })) {
    const modifiedAtS = Math.max(0, Math.floor(finishedAtMs / 1000));
    if (!(await sink.write(tarHeader({ name, sizeBytes, modifiedAtS })))) return false;
    for await (const piece of read()) {
      if (!(await sink.write(piece))) return false;
      onBytes(piece.length);
    }
    if (!(await sink.write(tarPadding(sizeBytes)))) return false;
  }
  return sink.write(TAR_END);
}
