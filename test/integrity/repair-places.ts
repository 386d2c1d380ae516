import type { TestContext } from 'node:test';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';
import type { RepairPlace } from './repair-cases.ts';

/** A store in a SQLite file that is gone after the test. */
export function temporaryPlace(t: TestContext): RepairPlace & { readonly address: string } {
  const { store, connect, address } = temporaryStore(t);
  return {
    store,
    address,
    exec: async (sql) => {
      const db = connect();
      try {
        const statements = sql.split(';').filter((text) => text.trim() !== '');
        for (const statement of statements.slice(0, -1)) db.exec(statement);
        return db.prepare(statements.at(-1)!).all();
      } finally {
        db.close();
      }
    },
    dump: async () => {
      const db = connect();
      try {
        const schema = db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all();
        const tables = schema.filter(({ type }) => type === 'table').map(({ name }) => String(name));
        return [
          schema,
          ...tables.map((name) => db.prepare(`SELECT rowid, * FROM ${name} ORDER BY rowid`).all()),
        ];
      } finally {
        db.close();
      }
    },
  };
}
