/** vacuum-into.ts STORE FILE: what SQLite itself brings for a consistent copy. */
import { DatabaseSync } from 'node:sqlite';

const [store, file] = process.argv.slice(2);
if (store === undefined || file === undefined) throw new Error('usage: vacuum-into.ts STORE FILE');
const database = new DatabaseSync(store.replace(/^sqlite:/, ''), { readOnly: true });
database.prepare('VACUUM INTO ?').run(file);
database.close();
