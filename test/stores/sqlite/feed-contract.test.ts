import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { changeFeedContract } from '../../../src/testing/change-feed-contract.ts';

for (const mode of ['WAL', 'DELETE'] as const) {
  changeFeedContract({
    name: `SQLite in journal mode ${mode}`,
    capabilities: {
      keepsJsonText: true,
      storesNul: true,
      storesTextIds: true,
      answersSql: true,
      tellsTransactions: false,
    },
    setup: async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-sqlite-'));
      const file = path.join(folder, 'events.db');
      const open = () => {
        const store = openSqliteStore(`sqlite:${file}`);
        return { ...store, initialise: () => store.initialise().then(() => setMode(file, mode)) };
      };
      return { open, cleanup: async () => rmSync(folder, { recursive: true }) };
    },
  });
}

function setMode(file: string, mode: string): void {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = ${mode}`);
  db.close();
}
