/** The guide of docs/layouts.md for a layout of one's own, followed to the letter: its SQL, its configuration, its commands. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const guide = readFileSync(join(ROOT, 'docs/layouts.md'), 'utf8').split('\n## A layout of your own\n')[1]!;

function blocks(language: string): string[] {
  return [...guide.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, text]) => text!,
  );
}

/** So that two threads read them, which have to know the layout too. */
const MANY = 12_000;

describe('a layout of one’s own, by the guide', () => {
  let server: TestPostgres;
  let folder: string;
  before(async () => {
    server = await startPostgres();
    folder = mkdtempSync(join(tmpdir(), 'eventcore-layouts-'));
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await server?.stop();
  });

  /** Runs a block of commands in the folder; gives what they print. */
  async function run(block: string): Promise<string> {
    const script = block.replaceAll(
      /^eventcore /gm,
      `"${process.execPath}" "${join(ROOT, 'src/cli/main.ts')}" `,
    );
    const { stdout } = await promisify(execFile)('sh', ['-ec', `exec 2>&1\n${script}`], {
      cwd: folder,
      encoding: 'utf8',
    }).catch((error: { stdout: string }) => assert.fail(error.stdout));
    return stdout;
  }

  async function write(database: string, from: number, to: number): Promise<void> {
    await server.exec(
      `INSERT INTO shop.order_log (order_no, revision, happened, body, context, actor, signature, written_at)
       SELECT n % 7, 1 + n / 7, (enum_range(NULL::shop.happening))[1 + n % 3],
              CASE n % 4 WHEN 0 THEN '{"b" : 1,   "a": [1.50], "a": "Grüße"}' WHEN 1 THEN '"\\u0000"' ELSE json_build_object('n', n)::text END::json,
              CASE WHEN n % 3 = 0 THEN jsonb_build_object('n', n) END, nullif('actor ' || n % 5, 'actor 0'),
              decode(repeat(md5(n::text), 16), 'hex'), timestamp '2026-01-01 00:00:00.123456' + n * interval '1 minute'
         FROM generate_series(${from}, ${to}) AS n;
       INSERT INTO shop.order_heads SELECT order_no, max(revision) FROM shop.order_log GROUP BY 1
           ON CONFLICT (order_no) DO UPDATE SET revision = excluded.revision;
       INSERT INTO shop.consumers VALUES ('mail', ${to}) ON CONFLICT (consumer) DO UPDATE SET last_entry = excluded.last_entry`,
      database,
    );
  }

  /** All rows of all tables as text, which for `json` is byte for byte. */
  async function rows(database: string): Promise<unknown[]> {
    const all = [];
    for (const table of ['order_log', 'order_heads', 'consumers'])
      all.push(...(await server.exec(`SELECT t::text FROM shop.${table} AS t ORDER BY 1`, database)));
    return all;
  }

  it('backs up and restores a table that nobody prepared for, row by row the same', {
    timeout: 300_000,
  }, async () => {
    const [sql] = blocks('sql');
    const [yaml] = blocks('yaml');
    const [daily, restoring] = blocks('sh');
    const [shop, fresh] = [await server.createDatabase('shop'), await server.createDatabase('fresh')];
    await server.exec(sql!, shop);
    await write(shop, 0, MANY);
    writeFileSync(
      join(folder, 'eventcore.config.yaml'),
      `${yaml!.replace('postgres://backup_login@db.example/shop', server.address(shop))}\nbackup: { parallel: 2 }\n`,
    );
    const commands = daily!.trim().split('\n');
    for (const command of commands) {
      if (command.includes('incremental')) await write(shop, MANY + 1, MANY + 80);
      await run(command);
    }
    await server.exec(sql!, fresh);
    await run(restoring!.replaceAll('postgres://restore_login@new.example/shop', server.address(fresh)));
    assert.deepEqual(await rows(fresh), await rows(shop));
    const next = `INSERT INTO shop.order_log (order_no, revision, happened, body) VALUES (1, 1000000, 'OrderPaid', '{}') RETURNING entry::text`;
    assert.deepEqual(await server.exec(next, fresh), [{ entry: String(MANY + 82) }]);
  });
});
