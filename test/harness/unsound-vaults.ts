import { BackupError } from '../../src/core/errors.ts';
import type { ObjectInfo, Vault } from '../../src/core/vault.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

/** Vaults that each break one promise, around a sound one in memory. */
export const UNSOUND_VAULTS = {
  /** As a bucket without conditional writes: the last one wins. */
  'overwrites what is there': () => overwriting(),
  /** Says to two of those who race that they won, and keeps one. */
  'tells two that they won': () => {
    const sound = memoryVault();
    let refusals = 0;
    return around(sound, {
      createObject: async (name) => {
        const writer = await sound.createObject(name);
        return {
          ...writer,
          commit: async () => {
            try {
              await writer.commit();
            } catch (error) {
              refusals += 1;
              if (refusals !== 1) throw error;
            }
          },
        };
      },
    });
  },
  'shows what is unfinished': () => {
    const sound = memoryVault();
    const open = new Set<string>();
    return around(sound, {
      createObject: async (name) => {
        const writer = await sound.createObject(name);
        open.add(name);
        const end = (work: () => Promise<void>) => async () => {
          open.delete(name);
          await work();
        };
        return { ...writer, commit: end(writer.commit), abort: end(writer.abort) };
      },
      stat: async (name) =>
        (await sound.stat(name)) ??
        (open.has(name) ? { name, sizeBytes: 0, modifiedAtMs: Date.now() } : null),
    });
  },
  'keeps what was given up': () => {
    const sound = memoryVault();
    return around(sound, {
      createObject: async (name) => {
        const writer = await sound.createObject(name);
        let isOver = false;
        return {
          ...writer,
          commit: async () => {
            isOver = true;
            await writer.commit();
          },
          abort: async () => {
            if (!isOver) await writer.commit();
          },
        };
      },
    });
  },
  'cuts what is written': () => {
    const sound = memoryVault();
    return around(sound, {
      createObject: async (name) => {
        const writer = await sound.createObject(name);
        return { ...writer, write: (bytes) => writer.write(bytes.subarray(0, bytes.length - 1)) };
      },
    });
  },
  'garbles what is read': () => {
    const sound = memoryVault();
    return around(sound, {
      readRange: async (name, offset, length) => (await sound.readRange(name, offset, length)).fill(1),
    });
  },
  'gives another range': () => {
    const sound = memoryVault();
    return around(sound, {
      readRange: (name, offset, length) =>
        sound.readRange(name, length < 60 && offset === 7 ? 8 : offset, length),
    });
  },
  /** As a server that clamps a range instead of refusing it. */
  'gives less at the end': () => {
    const sound = memoryVault();
    return around(sound, {
      readRange: async (name, offset, length) => {
        const info = await sound.stat(name);
        return sound.readRange(name, offset, Math.min(length, (info?.sizeBytes ?? length) - offset));
      },
    });
  },
  'reads what is not there': () => {
    const sound = memoryVault();
    return around(sound, {
      readRange: async (name, offset, length) =>
        (await sound.stat(name)) === null ? new Uint8Array(length) : sound.readRange(name, offset, length),
    });
  },
  /** As a bucket whose listings come later. */
  'lists late': () => around(memoryVault(), { list: async function* () {} }),
  'lists in another order': () => {
    const sound = memoryVault();
    return around(sound, {
      list: (prefix) => relist(sound, prefix, (found) => found.reverse()),
    });
  },
  'lists twice': () => {
    const sound = memoryVault();
    return around(sound, {
      list: (prefix) => relist(sound, prefix, (found) => [...found, ...found.slice(-1)]),
    });
  },
  'lists beyond the prefix': () => {
    const sound = memoryVault();
    return around(sound, {
      list: (prefix) => relist(sound, prefix.replace(/[^/]+\/$/, ''), (found) => found),
    });
  },
  'keeps what was removed': () => around(memoryVault(), { removeObject: async () => {} }),
} as const satisfies Record<string, () => Vault>;

/** As a bucket whose policy lets a host add and read, and no more. */
export function appendOnlyVault(): Vault {
  const refuse = async (): Promise<never> => {
    throw new BackupError('vault_refused', 'access denied');
  };
  return around(memoryVault(), { removeObject: refuse, removeLeftovers: refuse });
}

/** As a bucket of which all objects go into an archive at once. */
export function archivingVault(): Vault {
  const sound = memoryVault();
  return around(sound, {
    readRange: async (name, offset, length) => {
      await sound.readRange(name, offset, length);
      throw new BackupError('object_archived', `"${name}" is archived`);
    },
  });
}

function around(sound: Vault, changes: Partial<Vault>): Vault {
  return { ...sound, ...changes };
}

function overwriting(): Vault {
  const sound = memoryVault();
  let before: Promise<void> = Promise.resolve();
  const replace = async (name: string, parts: readonly Uint8Array[]): Promise<void> => {
    await sound.removeObject(name);
    const writer = await sound.createObject(name);
    for (const part of parts) await writer.write(part);
    await writer.commit();
  };
  return around(sound, {
    createObject: async (name) => {
      const parts: Uint8Array[] = [];
      return {
        write: async (bytes) => void parts.push(bytes.slice()),
        commit: () => {
          before = before.then(() => replace(name, parts));
          return before;
        },
        abort: async () => {},
      };
    },
  });
}

async function* relist(
  vault: Vault,
  prefix: string,
  change: (found: ObjectInfo[]) => ObjectInfo[],
): AsyncGenerator<ObjectInfo> {
  const found: ObjectInfo[] = [];
  for await (const info of vault.list(prefix)) found.push(info);
  yield* change(found);
}
