import { BackupError } from '../../src/core/errors.ts';
import type { ObjectWriter, Vault } from '../../src/core/vault.ts';

/** A vault around a vault that fails at the n-th call (from 1) that reaches it, or changes what it writes. */
export interface Fault {
  readonly failAt?: number;
  /** Every call after the failing one fails too, as when a disk is gone. */
  readonly forGood?: boolean;
  readonly corrupt?: (name: string, bytes: Uint8Array) => Uint8Array;
}

export function faultyVault(vault: Vault, fault: Fault): { vault: Vault; calls: () => number } {
  let calls = 0;
  const count = (): void => {
    calls += 1;
    const failAt = fault.failAt ?? Number.POSITIVE_INFINITY;
    if (calls === failAt || (fault.forGood === true && calls > failAt)) {
      throw new BackupError('vault_unreachable', `call ${calls} fails on purpose`);
    }
  };
  const counted = async <Value>(work: () => Promise<Value>): Promise<Value> => {
    count();
    return work();
  };
  const writer = (name: string, inner: ObjectWriter): ObjectWriter => ({
    write: (bytes) => counted(() => inner.write(fault.corrupt?.(name, bytes) ?? bytes)),
    commit: () => counted(() => inner.commit()),
    abort: () => inner.abort(),
  });
  return {
    calls: () => calls,
    vault: {
      address: vault.address,
      open: (options) => counted(() => vault.open(options)),
      createObject: (name) => counted(async () => writer(name, await vault.createObject(name))),
      readRange: (name, offset, length) => counted(() => vault.readRange(name, offset, length)),
      stat: (name) => counted(() => vault.stat(name)),
      async *list(prefix) {
        count();
        yield* vault.list(prefix);
      },
      copyObject: (from, to) => counted(() => vault.copyObject(from, to)),
      removeObject: (name) => counted(() => vault.removeObject(name)),
      removeLeftovers: (prefix) => counted(() => vault.removeLeftovers(prefix)),
      copyFrom: (source, name) => counted(() => vault.copyFrom(source, name)),
      recall: (name) => counted(() => vault.recall(name)),
      setLegalHold: (name, isHeld) => counted(() => vault.setLegalHold(name, isHeld)),
      traits: () => counted(() => vault.traits()),
      freeBytes: () => counted(() => vault.freeBytes()),
      close: () => vault.close(),
    },
  };
}
