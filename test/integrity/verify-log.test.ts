import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RungResult } from '../../src/core/rungs.ts';
import type { Vault } from '../../src/core/vault.ts';
import { arrangeFiles } from '../../src/format/log-catalog.ts';
import { writeGap } from '../../src/format/log-gap.ts';
import { encodeHeader } from '../../src/format/log-header.ts';
import { logFileName } from '../../src/format/log-name.ts';
import { writeLogFile } from '../../src/format/log-writer.ts';
import { type LogVerification, verifyLog } from '../../src/integrity/verify/log.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { changes, encodeBlocks, FOLDER, onlyTimeline, writeSampleLog } from '../format/log-batches.ts';
import { overwrite, readObject } from '../harness/memory-backup.ts';

async function check(vault: Vault, quick = false): Promise<LogVerification> {
  return verifyLog(vault, await onlyTimeline(vault), { quick });
}

function codes({ problems }: LogVerification): string[] {
  return problems.map(({ code }) => code);
}

const NAMES = [logFileName(10n, 21n), logFileName(21n, 40n), logFileName(40n, 50n)].map(
  (name) => FOLDER + name,
);

function passed(rungs: readonly RungResult[]): string[] {
  return rungs.filter(({ state }) => state === 'passed').map(({ name }) => name);
}

describe('the check of a change log', () => {
  it('says what a sound log holds', async () => {
    const vault = memoryVault();
    await writeSampleLog(vault);
    const sound = {
      ...{ folder: FOLDER, from: '000000000000000A', to: '0000000000000032' },
      ...{ files: 3, transactions: 3, events: 5, problems: [], problemsOmitted: 0, gaps: [] },
      ...{ contentsChecked: true, signedBy: [], blocksUnsigned: 4, isWhole: true },
    };
    const { rungs, ...found } = await check(vault);
    assert.deepEqual(found, sound);
    assert.deepEqual(passed(rungs), ['existence', 'size', 'checksum', 'decode', 'order', 'counts']);
    const { rungs: quickRungs, ...quick } = await check(vault, true);
    assert.deepEqual(quick, { ...sound, contentsChecked: null });
    assert.deepEqual(passed(quickRungs), ['existence', 'size']);
  });

  it('finds flipped bytes, and says in which file; --quick finds those of headers', async () => {
    const vault = memoryVault();
    await writeSampleLog(vault);
    for (const name of NAMES) {
      const bytes = await readObject(vault, name);
      let quickly = 0;
      for (let at = 0; at < bytes.length; at += 11) {
        const flipped = Buffer.from(bytes);
        flipped[at] = flipped[at]! ^ (1 << (at % 8));
        await overwrite(vault, name, flipped);
        const { problems } = await check(vault);
        assert.ok(
          problems.some(({ file, code }) => file === name && code === 'log_damaged'),
          `${name} byte ${at}: ${JSON.stringify(problems)}`,
        );
        if ((await check(vault, true)).problems.length > 0) quickly += 1;
      }
      assert.ok(quickly > (0.7 * bytes.length) / 11, `${quickly} of ${bytes.length}`);
      await overwrite(vault, name, bytes);
    }
  });

  it('goes on behind damage and finds more', async () => {
    const vault = memoryVault();
    await writeSampleLog(vault);
    for (const name of [NAMES[0]!, NAMES[2]!]) {
      const bytes = await readObject(vault, name);
      await overwrite(vault, name, bytes.subarray(0, bytes.length - 1));
    }
    const result = await check(vault);
    assert.deepEqual(codes(result), ['log_damaged', 'log_damaged']);
    assert.deepEqual(
      result.problems.map(({ file }) => file),
      [NAMES[0], NAMES[2]],
    );
    assert.ok(result.events >= 2);
    assert.deepEqual(codes(await check(vault, true)), ['log_damaged', 'log_damaged']);
  });

  it('reports a file that is gone, and one that was put in its place', async () => {
    const vault = memoryVault();
    await writeSampleLog(vault);
    await vault.removeObject(NAMES[1]!);
    for (const quick of [false, true]) assert.deepEqual(codes(await check(vault, quick)), ['log_broken']);
    await writeLogFile(vault, FOLDER, 21n, await encodeBlocks([changes([{ commit: 30n }], { to: 40n })]));
    for (const quick of [false, true]) {
      assert.deepEqual(codes(await check(vault, quick)), ['log_broken', 'log_broken']);
    }
  });

  it('reports a marked gap as a gap and not as damage', async () => {
    const vault = memoryVault();
    await writeSampleLog(vault);
    await vault.removeObject(NAMES[1]!);
    const gap = {
      from: 21n,
      to: 40n,
      reason: 'slot_lost',
      message: 'dropped',
      noticedAt: '2026-01-01T00:00:00.000Z',
    };
    await writeGap(vault, FOLDER, gap);
    const { problems, gaps } = await check(vault);
    assert.deepEqual(problems, []);
    assert.deepEqual(gaps, [{ ...gap, from: '0000000000000015', to: '0000000000000028' }]);
  });

  it('finds events that are not those that their header describes', async () => {
    const vault = memoryVault();
    const events = [{ streamId: 's', version: 1 }];
    const [block] = await encodeBlocks([changes([{ commit: 5n, events }])]);
    const { header, parts } = block!;
    const [described, ...others] = header.parts as [(typeof header.parts)[0], ...typeof header.parts];
    const lying = { ...described, events: { ...described.events!, streams: 2 } };
    const { bytes, digest } = encodeHeader({ ...header, parts: [lying, ...others] });
    const sizeBytes = bytes.length + block!.sizeBytes - parts[0]!.length;
    await writeLogFile(vault, FOLDER, 0n, [{ header, digest, sizeBytes, parts: [bytes, ...parts.slice(1)] }]);
    const { problems } = await check(vault);
    assert.match(problems[0]?.message ?? '', /its events are not those that its header describes/);
    assert.equal(problems.length, 1);
  });

  it('follows a compaction that joins files meanwhile', async () => {
    const vault = memoryVault();
    await writeSampleLog(vault);
    const timeline = await onlyTimeline(vault);
    const joining: Vault = {
      ...vault,
      async readRange(name, offset, length) {
        if (name === NAMES[1]) await joinAll(vault);
        return vault.readRange(name, offset, length);
      },
    };
    const result = await verifyLog(joining, timeline, { quick: false });
    assert.deepEqual(result.problems, []);
    assert.deepEqual([result.transactions, result.events], [3, 5]);
  });
});

async function joinAll(vault: Vault): Promise<void> {
  const parts = await Promise.all(NAMES.map((name) => readObject(vault, name)));
  await overwrite(vault, FOLDER + logFileName(10n, 50n), Buffer.concat(parts));
  for (const name of NAMES) await vault.removeObject(name);
}

describe('the arrangement of files', () => {
  const file = (from: bigint, to: bigint) => ({
    name: `${from}-${to}`,
    from,
    to,
    sizeBytes: 1,
    modifiedAtMs: 0,
  });

  it('takes the longest from a position, and says where files overlap', () => {
    const { spans, covered, problems } = arrangeFiles(
      [file(0n, 5n), file(0n, 9n), file(5n, 9n), file(9n, 12n)],
      [],
    );
    assert.deepEqual([spans.length, spans[0]?.files.length, covered.length, problems], [1, 2, 2, []]);
    const overlapping = arrangeFiles([file(0n, 5n), file(3n, 9n)], []);
    assert.equal(overlapping.spans.length, 2);
    assert.match(overlapping.problems.join(), /begins before/);
  });

  it('is parted by a gap of no length too', () => {
    const { spans, problems } = arrangeFiles([file(0n, 5n), file(5n, 9n)], [{ from: 5n, to: 5n }]);
    assert.deepEqual([spans.length, problems], [2, []]);
  });
});
