import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeGap } from '../../src/format/log-gap.ts';
import { logFileName } from '../../src/format/log-name.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { FOLDER, writeSampleLog } from '../format/log-batches.ts';
import { fillStore, makeFolder, type Ran, runHere } from '../harness/command.ts';

describe('verify of a vault with a change log', () => {
  let folder: string;
  let remove: () => Promise<void>;

  const run = (...words: string[]): Promise<Ran> => runHere([...words, '--vault', 'vault']);

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    process.chdir(folder);
    const vault = openDirectoryVault(join(folder, 'vault'));
    await vault.open({ create: true });
    await writeSampleLog(vault);
    const gap = { from: 50n, to: 60n, reason: 'slot_lost', message: 'the slot was dropped', noticedAt: '' };
    await writeGap(vault, FOLDER, gap);
    await vault.close();
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  it('checks the log even where there is no backup, and a gap is no damage', async () => {
    const { code, stdout, stderr } = await run('verify');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Sound: log\/7301234567890123456-1\/ 3 files, 3 transactions, 5 events\n/);
    assert.match(stdout, /gap from 0000000000000032 to 000000000000003C: the slot was dropped/);
  });

  it('checks it beside the backups, and not when backups are named', async () => {
    await fillStore(`sqlite:${folder}/events.db`, 20);
    const made = await run('backup', 'full', '--store', 'sqlite:events.db', '--json');
    const { stdout } = await run('verify', '--json');
    const document = JSON.parse(stdout);
    assert.equal(document.overallValid, true);
    assert.equal(document.backups.length, 1);
    const [log] = document.log;
    assert.deepEqual([log.folder, log.from, log.to], [FOLDER, '000000000000000A', '0000000000000032']);
    assert.deepEqual([log.files, log.transactions, log.events, log.problems], [3, 3, 5, []]);
    assert.equal(log.gaps[0].reason, 'slot_lost');
    const named = await run('verify', JSON.parse(made.stdout).backupId, '--json');
    assert.deepEqual(JSON.parse(named.stdout).log, []);
  });

  it('ends with 4 when the log is damaged or lacks a file', async () => {
    const path = join(folder, 'vault', FOLDER, logFileName(21n, 40n));
    const bytes = await readFile(path);
    await rm(path);
    await writeFile(path, bytes.fill(0, bytes.length - 3));
    const damaged = await run('verify');
    assert.equal(damaged.code, 4);
    assert.match(
      damaged.stdout,
      /FAILED: log\/7301234567890123456-1\/ .*\n {2}ladder: existence ✓ {2}size ✓ {2}checksum ✗ .*\n {2}checksum: log_damaged {2}block 1 of /,
    );
    await rm(path);
    const broken = await run('verify', '--quick', '--json');
    assert.equal(broken.code, 4);
    assert.equal(JSON.parse(broken.stdout).log[0].problems[0].code, 'log_broken');
    const quiet = await run('verify', '--quiet');
    assert.equal(quiet.code, 4);
    assert.match(quiet.stderr, /1 of 1 log failed/);
  });
});
