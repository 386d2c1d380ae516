import type { ObjectInfo, Vault } from '../../src/core/vault.ts';

/** A vault around a vault, whose clock is the one given: what is in it is as old as a test wants it. */
export function datedVault(inner: Vault, now: (name: string) => number): Vault {
  const times = new Map<string, number>();
  const dated = (info: ObjectInfo): ObjectInfo => ({
    ...info,
    modifiedAtMs: times.get(info.name) ?? info.modifiedAtMs,
  });
  return {
    ...inner,
    createObject: async (name) => {
      const writer = await inner.createObject(name);
      const commit = async (): Promise<void> => {
        await writer.commit();
        times.set(name, now(name));
      };
      return { ...writer, commit };
    },
    copyObject: async (from, to) => {
      await inner.copyObject(from, to);
      times.set(to, now(to));
    },
    stat: async (name) => {
      const info = await inner.stat(name);
      return info === null ? null : dated(info);
    },
    async *list(prefix) {
      for await (const info of inner.list(prefix)) yield dated(info);
    },
  };
}
