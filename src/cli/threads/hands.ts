import type { FullBackupPorts } from '../../backup/full.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import type { VerifyPorts } from '../../integrity/verify/backup.ts';
import type { RestorePorts } from '../../recovery/restore.ts';
import type { SyncPorts } from '../../upkeep/sync.ts';

/** Who does the parts of a work: threads of this process, or workers on other machines. The work is the same. */
export interface Hands {
  /** Parts that are out at the same time, 1–64. */
  readonly parallel: number;
  readonly ranges: (
    store: string,
    vault: Vault,
  ) => Pick<FullBackupPorts, 'runRange' | 'runKept' | 'readsHere'>;
  readonly files: (vault: Vault) => Pick<VerifyPorts, 'runFile'>;
  /** Objects that a vault gets from another one; `parallel` at a time, where it is not the usual few. */
  readonly copies: (from: Vault, to: Vault) => Pick<SyncPorts, 'runCopy'> & { readonly parallel?: number };
  readonly loads: (store: string, vault: Vault, chain: Chain) => Pick<RestorePorts, 'runLoad' | 'runPart'>;
}

export type RunFile = NonNullable<VerifyPorts['runFile']>;
