import { statfs } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { DrillTarget, DrillTargets } from '../core/drill-target.ts';
import { BackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { Writers } from '../core/writers.ts';
import { makeDrillFolder, removeDeadFolders } from './folders.ts';

export interface SqliteFilesOptions {
  /** Exists, and has room. */
  readonly folder: string;
  readonly writers: Writers;
  readonly openStore: (address: string) => Promise<EventStore>;
}

/** Each a file of SQLite in a folder of its own. */
export function sqliteFileTargets({ folder, writers, openStore }: SqliteFilesOptions): DrillTargets {
  const open = new Set<DrillTarget>();
  return {
    kind: 'a file of SQLite',
    refuseStore: async ({ address }) => {
      const path = /^sqlite:([^?]*)/.exec(address)?.[1];
      // A folder that was given by mistake for the store's file.
      if (path === undefined || relative(resolve(path), resolve(folder)) !== '') return;
      throw new BackupError('store_refused', `${folder} is the store itself`, {
        hint: 'a drill needs a folder in which it may make files',
      });
    },
    removeLeftovers: () => removeDeadFolders(folder, writers),
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
    create: async () => {
      const made = await makeDrillFolder(folder, writers);
      const address = `sqlite:${join(made.path, 'restored.db')}`;
      const store = await openStore(address);
      let keptAt: string | null = null;
      const target: DrillTarget = {
        ...{ address, store },
        // The layout has no triggers in SQLite, EventCore's own tables neither.
        tryGuards: async () => [
          { statement: 'UPDATE', outcome: 'none' },
          { statement: 'DELETE', outcome: 'none' },
        ],
        keep: async () => {
          await store.close();
          keptAt ??= `sqlite:${join(await made.keep(), 'restored.db')}`;
          open.delete(target);
          return keptAt;
        },
        remove: async () => {
          await store.close();
          await made.remove();
          open.delete(target);
        },
      };
      open.add(target);
      return target;
    },
    close: async () => {
      for (const target of [...open]) await target.remove();
    },
  };
}
