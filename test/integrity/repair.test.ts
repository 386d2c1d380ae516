import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';
import { DAMAGE, type RepairPlace, repairsToEquality } from './repair-cases.ts';
import { REFUSALS } from './repair-refusals.ts';

function place(t: TestContext): RepairPlace {
  const { store, connect } = temporaryStore(t);
  return {
    store,
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

describe('a store in SQLite', () => {
  for (const damage of DAMAGE) it(damage.name, (t) => repairsToEquality(place(t), damage));
  for (const [sentence, run] of REFUSALS) it(sentence, (t) => run(place(t)));

  it('keeps the row as it was, and by whom and why it was changed', async (t) => {
    const here = place(t);
    await repairsToEquality(here, DAMAGE[3]!);
    const [row] = await here.exec('SELECT * FROM eventcore_repairs');
    assert.equal(JSON.parse(String(row!.row_before)).event_data, '{"n": 666}');
    assert.match(String(row!.reason), /^not as in backup /);
    assert.match(String(row!.sha256_after), /^[0-9a-f]{64}$/);
  });
});
