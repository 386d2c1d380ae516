import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Vault } from '../../src/core/vault.ts';
import { withLease } from '../../src/upkeep/lease.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { type AgedVault, allNames, makeAgedFolder } from '../harness/aged-vault.ts';
import { makeFolder, runHere } from '../harness/command.ts';
import { testClock } from '../harness/memory-backup.ts';

const KEEP = ['--keep-last', '2', '--keep-daily', '4', '--keep-weekly', '2', '--keep-log', '4d'];

let folder: string;
let remove: () => Promise<void>;
let aged: AgedVault;
let serial = 0;
let path: string;
before(async () => {
  ({ path: folder, remove } = await makeFolder());
  aged = await makeAgedFolder(join(folder, 'first'));
});
beforeEach(async () => {
  serial += 1;
  path = join(folder, `vault-${serial}`);
  await copyFirst(path);
});
after(() => remove());

const copyFirst = (to: string) =>
  cp(join(folder, 'first'), to, { recursive: true, preserveTimestamps: true });
const run = (...words: string[]) => runHere(words, { env: { EVENTCORE_VAULT: path } });
const json = async (...words: string[]) => {
  const ran = await run(...words, '--json');
  return { ran, document: JSON.parse(ran.stdout === '' ? ran.stderr : ran.stdout) };
};
const names = () => withOpen(allNames);

async function withOpen<Result>(work: (vault: Vault) => Promise<Result>): Promise<Result> {
  const vault = openDirectoryVault(path);
  await vault.open({ create: false });
  return work(vault);
}

/** Ids of events are random, and so is how well they are compressed. */
function withoutSizes(text: string): string {
  return text.replace(/ *[\d.]+ (k?B)/g, ' $1');
}

describe('prune on the command line', () => {
  it('shows what it would do and why, in columns that align, and changes nothing', async () => {
    const before = await names();
    const ran = await run('prune', ...KEEP);
    assert.equal(ran.code, 0, ran.stderr);
    const rows = ran.stdout.split('\n').filter((line) => /^ {2}[0-9a-f]{8} /.test(line));
    assert.equal(rows.length, 15);
    const columns = new Set(rows.map((row) => row.search(/keep|remove/)));
    assert.equal(columns.size, 1);
    assert.match(ran.stdout, /Would remove 7 backups .*, 5 objects of the change log .*, 1 leftover/);
    assert.match(ran.stdout, /Nothing was changed: pass --apply/);
    assert.deepEqual(await names(), before);
  });

  it('prints what the documentation shows', async () => {
    const page = await readFile(join(import.meta.dirname, '../../docs/retention.md'), 'utf8');
    const ran = await run('prune', ...KEEP);
    const shown = ran.stdout.replaceAll(`file:${path}`, 'file:/mnt/backups').trimEnd();
    const [, example] = /\$ eventcore prune --keep-last 2 [^\n]*\n([\s\S]*?)\n```/.exec(page) ?? [];
    assert.equal(withoutSizes(example!), withoutSizes(shown));
  });

  it('removes with --apply, and finds nothing more to do', async () => {
    const { ran, document } = await json('prune', ...KEEP, '--apply');
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(document.applied, true);
    assert.equal(document.removed.backups.length, 7);
    assert.deepEqual([document.removed.refused, document.removed.spared], [[], []]);
    const again = await json('prune', ...KEEP);
    assert.ok(
      again.document.backups.every(
        ({ kept, reasons }: { kept: boolean; reasons: string[] }) => kept && reasons.length > 0,
      ),
    );
    assert.equal((await run('verify')).code, 0);
    assert.match((await run('prune', ...KEEP)).stdout, /Nothing is to be removed/);
  });

  it('needs a rule, and says how to give one', async () => {
    const ran = await run('prune');
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /nothing says what is to be kept/);
    assert.match(ran.stderr, /--keep-last/);
    assert.equal((await run('prune', '--keep-within', 'soon')).code, 2);
    assert.equal((await run('prune', '--keep-daily', '2', '--time-zone', 'Mars/Olympus')).code, 2);
    assert.match(
      (await runHere(['prune', '--keep-last', '1', '--region', 'us'], { env: {} })).stderr,
      /no policy/,
    );
  });

  it('takes rules and regions from the configuration', async () => {
    const config = join(folder, `config-${serial}.yaml`);
    await writeFile(
      config,
      [
        `primary: { region: eu, storage: ${path}, retention: { last: 2, log: 4d }, schedule: "0 2 * * *" }`,
        `replicas: [{ region: us, storage: ${path}-us, sync_schedule: "0 3 * * *", retention: { last: 4, log: 4d } }]`,
        `archive: { storage: ${path}-cold, after_days: 3, retention: 7y }`,
      ].join('\n'),
    );
    await copyFirst(`${path}-us`);
    const withConfig = (...words: string[]) => runHere([...words, '--config', config, '--json'], { env: {} });
    const primary = await withConfig('prune');
    assert.equal(primary.code, 0, primary.stderr);
    const { region, rule, backups } = JSON.parse(primary.stdout);
    assert.deepEqual([region, rule], ['eu', { last: 2, logMs: 345_600_000 }]);
    const waiting = backups.filter(({ reasons }: { reasons: string[] }) =>
      reasons.includes('not in the archive yet'),
    );
    assert.ok(waiting.length > 3, 'what belongs into the archive waits for it');
    const replica = await withConfig('prune', '--region', 'us', '--apply');
    assert.equal(replica.code, 0, replica.stderr);
    assert.equal(JSON.parse(replica.stdout).rule.last, 4);
    const unknown = await withConfig('prune', '--region', 'mars');
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /its regions are eu, us, archive/);
  });

  it('ends with 7 while another one holds the lease', async () => {
    const ports = { clock: testClock, holder: 'a test' };
    const ran = await withOpen((vault) =>
      withLease(vault, 'upkeep', ports, () => run('prune', ...KEEP, '--apply')),
    );
    assert.equal(ran.code, 7, ran.stderr);
    assert.match(ran.stderr, /a test holds the lease/);
  });

  it('is refused while the vault is frozen, and goes on afterwards', async () => {
    assert.match((await run('freeze', 'status')).stdout, /Not frozen/);
    assert.equal((await run('freeze', 'on', '--reason', 'incident 7')).code, 0);
    assert.match((await run('prune', ...KEEP)).stdout, /Nothing is removed: frozen: incident 7/);
    const refused = await run('prune', ...KEEP, '--apply');
    assert.equal(refused.code, 9);
    assert.match(refused.stderr, /frozen: incident 7\nhint: `eventcore freeze off`/);
    const status = await json('freeze', 'status');
    assert.deepEqual([status.document.frozen, status.document.freezes[0].reason], [true, 'incident 7']);
    assert.equal((await json('freeze', 'off')).document.ended.length, 1);
    assert.equal((await run('prune', ...KEEP, '--apply')).code, 0);
  });

  it('keeps what is held, with all that it builds on, until the hold ends', async () => {
    const held = aged.chained.get(3)!;
    const added = await json(
      'hold',
      'add',
      held.slice(0, 8),
      '--reason',
      'audit 2026',
      '--until',
      '2199-12-31',
    );
    assert.equal(added.ran.code, 0, added.ran.stderr);
    assert.deepEqual(
      added.document.covers,
      [1, 2, 3].map((day) => aged.chained.get(day)),
    );
    assert.equal(added.document.until, '2200-01-01T00:00:00.000Z');
    const { document } = await json('prune', ...KEEP, '--apply');
    const kept = document.backups.find(({ backupId }: { backupId: string }) => backupId === held);
    assert.deepEqual(kept.reasons, ['held: audit 2026']);
    assert.match(
      (await run('hold', 'list')).stdout,
      /3 backups .* until 2200-01-01 00:00:00 UTC +audit 2026/,
    );
    assert.equal((await run('hold', 'remove', added.document.holdId)).code, 0);
    assert.match((await run('hold', 'list')).stdout, /Nothing is held/);
    assert.equal((await json('prune', ...KEEP, '--apply')).document.removed.backups.length, 3);
    assert.equal((await run('hold', 'remove', held)).code, 3);
    assert.equal((await run('hold', 'add', held, '--reason', 'too late')).code, 3);
    assert.equal((await run('hold', 'add', held, '--reason', ' ')).code, 2);
    assert.equal((await run('hold', 'add', held, '--reason', 'x', '--until', 'soon')).code, 2);
  });
});
