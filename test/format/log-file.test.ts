import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { writeGap } from '../../src/format/log-gap.ts';
import { logFileName, parseLogName } from '../../src/format/log-name.ts';
import { type LogReadOptions, lastBlock, readLogBlocks } from '../../src/format/log-reader.ts';
import { openLogFile, writeLogFile } from '../../src/format/log-writer.ts';
import { batchRows } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import {
  changes,
  encodeBlocks,
  FOLDER,
  onlyTimeline,
  readChanges,
  SOURCE,
  writeSampleLog,
} from './log-batches.ts';

async function readAll(
  vault: Vault,
  options: LogReadOptions = {},
): Promise<{ commits: bigint[]; versions: number[] }> {
  const { spans } = await onlyTimeline(vault);
  const commits: bigint[] = [];
  const versions: number[] = [];
  for await (const block of readLogBlocks(
    vault,
    spans.flatMap(({ files }) => files),
    options,
  )) {
    commits.push(...(await block.transactions()).commits);
    const events = await block.events();
    if (events !== null) versions.push(...batchRows(events).map(({ version }) => version));
  }
  return { commits, versions };
}

test('what was written to a log is read back in its order', async () => {
  const vault = memoryVault();
  await writeSampleLog(vault);
  assert.deepEqual(await readAll(vault), { commits: [10n, 20n, 30n, 30n], versions: [1, 2, 3, 4, 5] });
  assert.deepEqual(await readAll(vault, { from: 21n }), { commits: [30n, 30n], versions: [4, 5] });
  assert.deepEqual(await readAll(vault, { from: 40n }), { commits: [], versions: [] });
});

test('an archiver goes on where the log ends', async () => {
  const vault = memoryVault();
  await writeSampleLog(vault);
  const end = await lastBlock(vault, await onlyTimeline(vault));
  assert.equal(end?.position, 50n);
  assert.equal(end?.header.asOf, 99n);
  assert.deepEqual(end?.header.horizon, { position: 45n, xid: 10n });
  const [next] = await encodeBlocks([changes([{ commit: 60n }])], { previous: end?.digest ?? null });
  const file = await openLogFile(vault, FOLDER, 50n, 61n);
  await file.add(next!);
  await file.commit();
  assert.deepEqual((await readAll(vault)).commits, [10n, 20n, 30n, 30n, 60n]);
});

test('a gap marker parts the log, and the log goes on behind it', async () => {
  const vault = memoryVault();
  await writeSampleLog(vault);
  const gap = {
    from: 50n,
    to: 70n,
    reason: 'slot_lost',
    message: 'it was dropped',
    noticedAt: '2026-01-01T00:00:00.000Z',
  };
  await writeGap(vault, FOLDER, gap);
  assert.deepEqual((await onlyTimeline(vault)).gaps, [gap]);
  assert.equal((await lastBlock(vault, await onlyTimeline(vault)))?.position, 70n);
  assert.equal((await lastBlock(vault, await onlyTimeline(vault)))?.digest, null);
  await writeLogFile(vault, FOLDER, 70n, await encodeBlocks([changes([{ commit: 71n }])]));
  const timeline = await onlyTimeline(vault);
  assert.deepEqual(
    timeline.spans.map(({ from, to }) => [from, to]),
    [
      [10n, 50n],
      [70n, 72n],
    ],
  );
  assert.deepEqual(timeline.problems, []);
  await assert.rejects(readAll(vault), { code: 'log_gap' });
});

test('a file that another wholly covers is ignored, and a hole without a marker is a problem', async () => {
  const vault = memoryVault();
  await writeSampleLog(vault);
  const blocks = await encodeBlocks([changes([{ commit: 11n }, { commit: 29n }], { to: 40n })]);
  await writeLogFile(vault, FOLDER, 10n, blocks);
  const { spans, covered, problems } = await onlyTimeline(vault);
  assert.deepEqual(
    spans.map(({ files }) => files.map(({ to }) => to)),
    [[40n, 50n]],
  );
  assert.deepEqual(
    covered.map(({ to }) => to),
    [21n, 40n],
  );
  assert.deepEqual(problems, []);
  await vault.removeObject(FOLDER + logFileName(40n, 50n));
  await writeLogFile(vault, FOLDER, 60n, await encodeBlocks([changes([], { to: 61n })]));
  assert.match((await onlyTimeline(vault)).problems.join(), /nothing is there from 0000000000000028/);
});

test('a file is not committed under a name that its blocks do not have', async () => {
  const vault = memoryVault();
  const file = await openLogFile(vault, FOLDER, 1n, 9n);
  await file.add((await encodeBlocks([changes([{ commit: 3n }])]))[0]!);
  await assert.rejects(file.commit(), { code: 'internal' });
  await file.abort();
  const open = await encodeBlocks([changes([{ commit: 3n }], { isOpen: true })]);
  await assert.rejects(writeLogFile(vault, FOLDER, 1n, open), { code: 'internal' });
  assert.deepEqual(await readLogCatalog(vault), []);
});

test('names of a log say what they hold, and nothing else is a name', () => {
  const name = FOLDER + logFileName(1n, 0xffffffffffffffffn);
  assert.deepEqual(parseLogName(name), {
    folder: FOLDER,
    systemIdentifier: SOURCE.systemIdentifier,
    timeline: 1,
    kind: 'log',
    from: 1n,
    to: 0xffffffffffffffffn,
  });
  for (const other of [
    `${FOLDER}1-2.log`,
    `${FOLDER}${logFileName(2n, 1n)}`,
    `${FOLDER}${logFileName(2n, 1n)}x`,
  ]) {
    assert.equal(parseLogName(other), null);
  }
});

test('files that a compaction joins while they are read are read on in the joined one', async () => {
  const vault = memoryVault();
  await writeSampleLog(vault);
  const before = await readAll(vault);
  const { spans } = await onlyTimeline(vault);
  const files = spans[0]!.files;
  const bytes = await Promise.all(files.map(({ name, sizeBytes }) => vault.readRange(name, 0, sizeBytes)));
  const versions: number[] = [];
  const commits: bigint[] = [];
  for await (const block of readLogBlocks(vault, files, { windowBytes: 64 })) {
    if (block.file === files[1] && (await vault.stat(files[1]!.name)) !== null) {
      const joined = await vault.createObject(FOLDER + logFileName(10n, 50n));
      await joined.write(Buffer.concat(bytes));
      await joined.commit();
      for (const { name } of files) await vault.removeObject(name);
    }
    commits.push(...(await block.transactions()).commits);
    const events = await block.events();
    if (events !== null) versions.push(...batchRows(events).map(({ version }) => version));
  }
  assert.deepEqual({ commits, versions }, before);
  await vault.removeObject(FOLDER + logFileName(10n, 50n));
  await assert.rejects(readChanges(vault, files), { code: 'damaged', message: /is missing/ });
});

test('the file with which a log begins is read before what it holds later, joined or not', async () => {
  const vault = memoryVault();
  const [begin, first, second] = await encodeBlocks([
    changes([], { to: 10n, horizon: { position: 10n, xid: 3n } }),
    changes([{ commit: 10n }]),
    changes([{ commit: 20n }]),
  ]);
  await writeLogFile(vault, FOLDER, 10n, [begin!]);
  await writeLogFile(vault, FOLDER, 10n, [first!]);
  await writeLogFile(vault, FOLDER, 11n, [second!]);
  const before = await readAll(vault);
  assert.deepEqual(before.commits, [10n, 20n]);
  await writeLogFile(vault, FOLDER, 10n, [first!, second!]);
  assert.deepEqual(await readAll(vault), before);
  const { spans, covered, problems } = await onlyTimeline(vault);
  assert.deepEqual([spans.length, spans[0]?.files.length, covered.length, problems], [1, 2, 2, []]);
});
