/**
 * The few calls of sqlite3 (the npm package) that Emmett's store makes, on node:sqlite. Calls come back later and in order, as there.
 */
const { DatabaseSync } = require('node:sqlite');

class Database {
  #db;

  constructor(fileName) {
    this.#db = new DatabaseSync(fileName, { timeout: 5000 });
  }

  run(sql, ...rest) {
    this.#call(rest, (values) => {
      const { changes, lastInsertRowid } = this.#db.prepare(sql).run(...values);
      return { self: { changes, lastID: Number(lastInsertRowid) } };
    });
  }

  get(sql, ...rest) {
    this.#call(rest, (values) => ({ result: this.#db.prepare(sql).get(...values) }));
  }

  all(sql, ...rest) {
    this.#call(rest, (values) => ({ result: this.#db.prepare(sql).all(...values) }));
  }

  close() {
    this.#db.close();
  }

  #call(rest, work) {
    const callback = rest.at(-1) instanceof Function ? rest.pop() : () => undefined;
    let outcome;
    try {
      outcome = work((rest[0] ?? []).map(bindable));
    } catch (error) {
      // There the number is the coarse one, without the bits that say which constraint it was.
      outcome = { error: Object.assign(error, { errno: error.errcode & 255 }) };
    }
    const { error = null, result, self } = outcome;
    queueMicrotask(() => callback.call(self, error, result));
  }
}

/** There an object is bound as its text, a truth as a number. */
function bindable(value) {
  if (typeof value === 'boolean') return Number(value);
  if (value === undefined) return null;
  return value !== null && typeof value === 'object' && !ArrayBuffer.isView(value) ? String(value) : value;
}

module.exports = { Database, OPEN_READWRITE: 2, OPEN_CREATE: 4, OPEN_URI: 64 };
