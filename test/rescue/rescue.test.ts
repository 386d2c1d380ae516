/** The rescue script against `eventcore export`: the same events, byte for byte, from every kind of backup. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CHUNK_FORMATS, COMPRESSIONS } from '../../src/core/manifest.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { addIncremental, grow, nextInstant } from '../harness/chain.ts';
import { makeFolder, runHere } from '../harness/command.ts';
import { backUp, fill } from '../harness/memory-backup.ts';
import { rescue, SCRIPT } from './run-rescue.ts';

const VECTORS = join(import.meta.dirname, '../vectors/v1');

const ODD: TestEvent[] = [
  { streamId: 'ünï/😀', version: 1, type: 'Odd', data: '{"a": 1.50 , "b":"\\ud83d"}', metadata: null },
  { streamId: Uint8Array.of(0xff, 0x00), version: 1, data: null, metadata: Uint8Array.of(0xfe) },
  { streamId: '', version: 3, type: Uint8Array.of(0xc0), data: 'no JSON "at all"\n', timeText: '2026-13-99' },
  { streamId: 's', version: 1, data: '{"a":1}\r', time: 2n ** 63n - 1n },
  { streamId: 's', version: 2, data: '', time: -1n, timeText: Uint8Array.of(0xff) },
];

let folder: string;
let remove: () => Promise<void>;
before(async () => {
  ({ path: folder, remove } = await makeFolder());
});
after(() => remove());

async function exported(vault: string, id: string, ...flags: string[]): Promise<string> {
  const ran = await runHere(['export', id, '--to', '-', ...flags], { env: { EVENTCORE_VAULT: vault } });
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stdout;
}

async function assertSame(vault: string, id: string): Promise<void> {
  const ran = await rescue(vault, '--backup', id);
  assert.equal(ran.code, 0, ran.stderr);
  assert.ok(ran.stdout.length > 0);
  assert.equal(ran.stdout, await exported(vault, id));
}

async function idsIn(vault: string): Promise<string[]> {
  const names = await readdir(join(vault, 'backups'));
  return names.map((name) => /backup-(.{36})/.exec(name)![1]!);
}

/** A full backup of odd events in many chunks, and two incremental ones in other formats. */
async function makeChain(vault: string): Promise<string[]> {
  const store = memoryStore();
  await fill(store, ODD);
  await grow(store, 0, 20);
  const directory = openDirectoryVault(vault);
  await directory.open({ create: true });
  const { manifest } = await backUp(store, directory, { chunkBytes: 500 });
  const ids = [manifest.backupId];
  for (const [format, compression] of [['msgpack', 'gzip'] as const, ['jsonl', 'none'] as const]) {
    await nextInstant();
    await grow(store, 20 * ids.length, 20);
    ids.push(await addIncremental(store, directory, { format, compression, chunkBytes: 500 }));
  }
  await directory.close();
  return ids;
}

describe('the rescue script', () => {
  for (const name of ['bundles', 'bundles-with-templates', 'chain']) {
    it(`gives the events of the golden backups: ${name}`, async () => {
      const vault = join(VECTORS, name);
      for (const id of await idsIn(vault)) await assertSame(vault, id);
    });
  }

  for (const format of CHUNK_FORMATS) {
    for (const compression of COMPRESSIONS) {
      it(`gives odd events as they are: ${format}, ${compression}`, async () => {
        const path = join(folder, `${format}-${compression}`);
        const vault = openDirectoryVault(path);
        await vault.open({ create: true });
        const store = memoryStore();
        await fill(store, ODD);
        await grow(store, 0, 10);
        const { manifest } = await backUp(store, vault, { format, compression, chunkBytes: 400 });
        await vault.close();
        await assertSame(path, manifest.backupId);
      });
    }
  }

  it('takes the newest whole chain, lists all, and gives what any of them brings back', async () => {
    const vault = join(folder, 'chain');
    const ids = await makeChain(vault);
    for (const id of ids) await assertSame(vault, id);
    const { stdout } = await rescue(vault);
    assert.equal(stdout, await exported(vault, ids.at(-1)!));
    const listed = await rescue(vault, '--list');
    assert.deepEqual(
      listed.stdout
        .trim()
        .split('\n')
        .map((line) => line.split('  ')[1]),
      ids,
    );
    await rm(join(vault, 'backups', `incremental-backup-${ids[1]}.eventcore`), { recursive: true });
    const left = await rescue(vault);
    assert.equal(left.code, 1, 'something is missing');
    assert.match(
      left.stderr,
      new RegExp(`${ids[2]} is not whole: ${ids[1]}, which it builds on, is missing`),
    );
    assert.equal(left.stdout, await exported(vault, ids[0]!));
    const part = await rescue(vault, '--backup', ids[2]!, '--keep-going');
    assert.equal(part.code, 1);
    assert.equal(part.stdout.split('\n').length - 1, 40);
  });

  it('gives the companions of a backup', async () => {
    const { code, stdout } = await rescue(join(VECTORS, 'chain'), '--companions');
    assert.equal(code, 0);
    const [row] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual([row.role, Object.values(row.values)[0]], ['checkpoints', 'billing']);
  });

  it('writes into a file of its owner, and over none', async () => {
    const out = join(folder, 'out.jsonl');
    const vault = join(VECTORS, 'chain');
    assert.equal((await rescue(vault, '--out', out)).code, 0);
    assert.equal(await readFile(out, 'utf8'), (await rescue(vault)).stdout);
    const again = await rescue(vault, '--out', out);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /EEXIST/);
  });

  it('needs nothing but Node, and is short', async () => {
    for (const name of await readdir(dirname(SCRIPT))) {
      const text = await readFile(join(dirname(SCRIPT), name), 'utf8');
      assert.ok(text.split('\n').length <= 301, `${name} is longer than 300 lines`);
      for (const [, from] of text.matchAll(/(?:from|import\(?) *'([^']+)'/g)) {
        assert.match(from!, /^(?:node:\w+|\.\/rescue-\w+\.mjs)$/, name);
      }
    }
  });

  it('ends with 2 when it is called wrongly', async () => {
    assert.equal((await rescue()).code, 2);
    assert.match((await rescue()).stderr, /--keep-going/);
    assert.equal((await rescue('/nowhere', '--odd')).code, 2);
  });
});

describe('the rescue script before damage', () => {
  let vault: string;
  let ids: string[];
  let data: string;
  let whole: string[];

  before(async () => {
    vault = join(folder, 'sound');
    ids = await makeChain(vault);
    data = join('backups', `full-backup-${ids[0]}.eventcore`, 'events-00001.columns.zst');
    whole = (await rescue(vault)).stdout.split('\n');
  });

  async function damaged(name: string, damage: (path: string) => Promise<void>): Promise<string> {
    const copy = join(folder, name);
    await cp(vault, copy, { recursive: true });
    await damage(copy);
    return copy;
  }

  async function flip(path: string, at = 0.5): Promise<void> {
    const bytes = await readFile(path);
    bytes[Math.floor(bytes.length * at)]! ^= 1;
    await writeFile(path, bytes);
  }

  it('names a damaged chunk, and with --keep-going gives all that the others hold', async () => {
    const copy = await damaged('chunk', (path) => flip(join(path, data)));
    const strict = await rescue(copy);
    assert.equal(strict.code, 1);
    assert.match(strict.stderr, /chunk \d+ of events-00001\.columns\.zst .*does not have its digest/);
    assert.match(strict.stderr, /what was written ends before its end/);
    const going = await rescue(copy, '--keep-going');
    assert.equal(going.code, 1);
    const lost = Number(/left out chunk \d+ of \S+ \((\d+) records\)/.exec(going.stderr)![1]);
    const lines = going.stdout.split('\n');
    assert.equal(lines.length, whole.length - lost);
    assert.ok(lines.every((line) => whole.includes(line)));
    assert.ok(going.stderr.includes(`${45 - lost} of 45 events are whole`), going.stderr);
  });

  it('refuses a file that is cut, and one with bytes behind', async () => {
    const cut = await damaged('cut', async (path) => {
      const bytes = await readFile(join(path, data));
      await writeFile(join(path, data), bytes.subarray(0, -1));
    });
    const longer = await damaged('longer', async (path) => {
      const bytes = await readFile(join(path, data));
      await writeFile(join(path, data), Buffer.concat([bytes, Buffer.from('x')]));
    });
    for (const copy of [cut, longer]) assert.equal((await rescue(copy)).code, 1);
    assert.equal((await rescue(longer, '--keep-going')).stdout, whole.join('\n'));
  });

  it('refuses a table or a manifest that was changed, and goes on with the rest', async () => {
    const table = await damaged('table', (path) => flip(join(path, data.replace(/columns.zst$/, 'index'))));
    assert.match((await rescue(table)).stderr, /events-00001\.index does not have its digest/);
    const rest = await rescue(table, '--keep-going');
    assert.deepEqual([rest.code, rest.stdout.split('\n').length - 1], [1, 80]);
    const manifest = await damaged('manifest', (path) =>
      flip(join(path, 'backups', `incremental-backup-${ids[2]}.eventcore`, 'manifest.json')),
    );
    const before = await rescue(manifest);
    assert.equal(before.code, 1);
    assert.match(before.stderr, new RegExp(`manifest of incremental-backup-${ids[2]}`));
    assert.equal(before.stdout, await exported(vault, ids[1]!));
  });

  it('stops when it cannot write, whatever it may leave out', async () => {
    const words = [process.execPath, SCRIPT, vault, '--keep-going'];
    const { status, stderr } = spawnSync('sh', ['-c', '"$0" "$@" > /dev/full', ...words], {
      encoding: 'utf8',
    });
    assert.equal(status, 1);
    assert.match(stderr, /ENOSPC/);
    assert.equal(stderr.match(/ENOSPC/g)!.length, 1, 'once');
  });

  it('refuses another backup in a parent’s place', async () => {
    const copy = await damaged('swapped', async (path) => {
      const [full, other] = [ids[0], 'manifest.json'];
      const place = join(path, 'backups', `full-backup-${full}.eventcore`, other);
      const bytes = (await readFile(place, 'utf8')).replace(/"software": "[^"]*"/, '"software": "mine"');
      const { manifestChecksum: _, ...rest } = JSON.parse(bytes);
      const manifestChecksum = createHash('sha256')
        .update(JSON.stringify(rest, null, 2))
        .digest('hex');
      await writeFile(place, `${JSON.stringify({ ...rest, manifestChecksum }, null, 2)}\n`);
    });
    const ran = await rescue(copy, '--backup', ids[1]!);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /is not as it was when it was built on/);
    assert.equal(ran.stdout, '');
  });
});
