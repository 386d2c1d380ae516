import type { Vault } from '../../src/core/vault.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

/** A vault with a clock of its own, which tests set. */
export interface TimedVault {
  readonly vault: Vault;
  nowMs: number;
}

export function timedVault(): TimedVault {
  const inner = memoryVault();
  const times = new Map<string, number>();
  const timed: TimedVault = {
    nowMs: Date.UTC(2026, 0, 1),
    vault: {
      ...inner,
      createObject: async (name) => {
        const writer = await inner.createObject(name);
        const commit = async (): Promise<void> => {
          await writer.commit();
          times.set(name, timed.nowMs);
        };
        return { ...writer, commit };
      },
      copyObject: async (from, to) => {
        await inner.copyObject(from, to);
        times.set(to, timed.nowMs);
      },
      stat: async (name) => {
        const info = await inner.stat(name);
        return info === null ? null : { ...info, modifiedAtMs: times.get(name) ?? info.modifiedAtMs };
      },
      async *list(prefix) {
        for await (const info of inner.list(prefix)) {
          yield { ...info, modifiedAtMs: times.get(info.name) ?? info.modifiedAtMs };
        }
      },
    },
  };
  return timed;
}
