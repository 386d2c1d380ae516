import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Check } from '../../src/doctor/check.ts';
import { encodeVerified, verifiedName } from '../../src/format/verified-record.ts';
import { fillStore, makeFolder, runHere } from '../harness/command.ts';

const DAY = 86_400_000;

describe('a vault that is verified', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let store: string;
  let vault: string;
  const ids: string[] = [];
  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    store = `sqlite:${folder}/events.db`;
    vault = join(folder, 'vault');
    await fillStore(store, 500);
    for (const format of ['columns', 'jsonl', 'msgpack']) {
      const { document } = await json('backup', 'full', '--format', format);
      ids.push(document.backupId);
    }
  });
  after(() => remove());

  const run = (...words: string[]) =>
    runHere(words, { env: { EVENTCORE_VAULT: vault, EVENTCORE_STORE: store } });
  async function json(...words: string[]) {
    const ran = await run(...words, '--json');
    assert.ok(ran.stdout !== '', ran.stderr);
    return { ran, document: JSON.parse(ran.stdout) };
  }
  const records = () => readdir(join(vault, 'integrity/verified')).catch(() => [] as string[]);
  const forget = () => rm(join(vault, 'integrity'), { recursive: true, force: true });
  const eventsOf = async (id: string) => {
    const path = join(vault, `backups/full-backup-${id}.eventcore`);
    const name = (await readdir(path)).find(
      (file) => /^events-.*(?<!index)$/.test(file) && !file.includes('index'),
    );
    return join(path, name!);
  };
  async function flip(path: string): Promise<() => Promise<void>> {
    const bytes = await readFile(path);
    const flipped = Buffer.from(bytes);
    flipped[20]! ^= 1;
    await rm(path);
    await writeFile(path, flipped);
    return async () => {
      await rm(path);
      await writeFile(path, bytes);
    };
  }

  it('remembers when, and `list` and `show` say it', async () => {
    const before = await json('list');
    assert.deepEqual(
      [before.document.backups[0].verifiedAt, before.document.backups[0].verifiedSound],
      [null, null],
    );
    assert.doesNotMatch((await run('list')).stdout, /VERIFIED/);
    assert.match((await run('show', ids[0]!)).stdout, /verified +no verification is remembered/);
    const { document } = await json('verify');
    assert.deepEqual((await records()).length, 1);
    const listed = (await json('list')).document.backups;
    for (const [i, { verifiedAt, verifiedSound }] of listed.entries()) {
      assert.equal(verifiedSound, true);
      assert.ok(Math.abs(Date.parse(verifiedAt) - Date.parse(document.backups[i].verificationTime)) < 5000);
    }
    assert.match((await run('list')).stdout, /VERIFIED \(UTC\)\n.* \d\d:\d\d:\d\d\n/);
    assert.match((await run('show', ids[0]!)).stdout, /verified +20\d\d-.* UTC/);
    assert.equal((await json('show', ids[0]!)).document.verifiedSound, true);
  });

  it('remembers nothing of a quick look, nor with --no-record', async () => {
    await forget();
    assert.equal((await run('verify', '--quick')).code, 0);
    assert.equal((await run('verify', '--no-record')).code, 0);
    assert.deepEqual(await records(), []);
  });

  it('keeps no name of a stream and no payload in its memory', async () => {
    await forget();
    await run('verify');
    const [name] = await records();
    const text = await readFile(join(vault, 'integrity/verified', name!), 'utf8');
    const { units } = JSON.parse(text) as { units: { name: string }[] };
    assert.deepEqual(
      units.map((unit) => unit.name).sort(),
      ids.map((id) => `backups/full-backup-${id}.eventcore/`).sort(),
    );
  });

  it('takes the longest unverified share first, until all had its turn', async () => {
    await forget();
    const seen: string[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const { document } = await json('verify', '--share', '34%');
      assert.equal(document.choice.share, 0.34);
      assert.ok(document.choice.takenBytes >= 0.34 * document.choice.totalBytes || turn === 2);
      for (const { name, reason } of document.choice.files) {
        if (reason === 'never verified') seen.push(name);
      }
    }
    assert.equal(new Set(seen).size, 6);
    const text = (await run('verify', '--share', '1%')).stdout;
    assert.match(text, /^Share: 1 of 6 files \(.*\), the longest unverified ones\n/);
    assert.match(text, /some of its files/);
  });

  it('goes on with what was not verified within a time, and again with what was unsound', async () => {
    await forget();
    await run('verify', ids[0]!);
    const rest = await json('verify', '--not-since', '12h');
    assert.deepEqual(
      rest.document.backups.map(({ backupId }: { backupId: string }) => backupId),
      ids.slice(1),
    );
    assert.match((await run('verify', '--not-since', '12h')).stdout, /^Nothing is due/);
    const mend = await flip(await eventsOf(ids[1]!));
    assert.equal((await run('verify', ids[1]!)).code, 4);
    const share = await run('verify', '--share', '1%');
    assert.equal(share.code, 0);
    assert.match(share.stdout, /\n2 files found unsound before and not in this share/);
    const again = await json('verify', '--not-since', '12h');
    assert.equal(again.ran.code, 4);
    assert.deepEqual(
      again.document.backups.map(({ backupId }: { backupId: string }) => backupId),
      [ids[1]],
    );
    assert.equal(again.document.backups[0].problems[0].rung, 'checksum');
    const listed = (await json('list')).document.backups;
    assert.deepEqual(
      listed.map(({ verifiedSound }: { verifiedSound: boolean }) => verifiedSound),
      [true, false, true],
    );
    assert.match((await run('list')).stdout, /UNSOUND/);
    const { found } = await doctor();
    assert.deepEqual([found.verdict, found.code], ['bad', 'damaged']);
    await mend();
    assert.equal((await run('verify', '--not-since', '12h')).code, 0);
    assert.equal((await doctor()).found.verdict, 'good');
  });

  it('has what does not go together refused', async () => {
    for (const more of ['--quick', '--against-store']) {
      const ran = await run('verify', '--share', '5%', more);
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, /do not go together\nhint: /);
    }
    for (const share of ['0%', '101%', '5', 'x%'])
      assert.equal((await run('verify', '--share', share)).code, 2);
  });

  it('is verified all the same where no record can be written, with a warning', async () => {
    await forget();
    // In the way of what is to be written; not even root gets past it.
    await writeFile(join(vault, 'integrity'), 'no folder');
    const ran = await run('verify');
    await rm(join(vault, 'integrity'));
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /what is verified is not remembered, since the vault takes no record of it: /);
  });

  async function doctor(...more: string[]) {
    const ran = await run('doctor', '--json', ...more);
    const { checks } = JSON.parse(ran.stdout) as { checks: Check[] };
    return { code: ran.code, found: checks.find(({ name }) => name === 'verification')! };
  }

  /** As if all had been verified by somebody else, some days ago. */
  async function verifiedBefore(days: number): Promise<void> {
    await forget();
    await run('verify');
    const [name] = await records();
    const path = join(vault, 'integrity/verified', name!);
    const { checksum: _, verifiedVersion: __, ...record } = JSON.parse(await readFile(path, 'utf8'));
    const then = new Date(Date.now() - days * DAY).toISOString();
    const units = record.units.map((unit: object) => ({ ...unit, verifiedAt: then }));
    await rm(path);
    const aged = { ...record, recordedAt: then, units };
    await writeFile(join(vault, verifiedName(aged)), encodeVerified(aged));
  }

  it('has a doctor that warns after 30 days, and alarms after what the policy promises', async () => {
    const config = join(folder, 'policy.yaml');
    const primary = `primary: { region: eu, storage: ${JSON.stringify(vault)} }\n`;
    await writeFile(config, `${primary}objectives: { verified_within: 7d }\n`);
    await verifiedBefore(8);
    assert.equal((await doctor()).found.verdict, 'good');
    const promised = await doctor('--config', config);
    assert.deepEqual([promised.code, promised.found.code], [4, 'verification_failed']);
    assert.match(
      promised.found.message,
      /^oldest: 8 d .* ago, backups\/.*: the policy says verified_within 7d/,
    );
    await verifiedBefore(31);
    const warned = await doctor();
    assert.deepEqual([warned.code, warned.found.verdict], [0, 'warn']);
    assert.match(warned.found.hint!, /--share 5%/);
  });

  it('keeps the last backup that was found sound, and forgets what newer records say', async () => {
    await forget();
    for (let i = 0; i < 3; i += 1) await run('verify', ids[0]!);
    await flip(await eventsOf(ids[1]!));
    await run('verify', ids[1]!);
    assert.equal((await records()).length, 4);
    const { document } = await json('prune', '--keep-last', '1');
    const said = document.backups.map(({ kept, reasons, verified }: Record<string, unknown>) => ({
      ...{ kept, reasons, verified },
    }));
    assert.deepEqual(said[0], { kept: true, reasons: ['the last verified backup'], verified: true });
    assert.deepEqual(said[1], { kept: false, reasons: ['no rule keeps it'], verified: false });
    assert.equal(said[2].verified, null);
    const applied = await run('prune', '--keep-last', '1', '--apply');
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /2 records of 4 .* remove {2}newer records say it/);
    assert.equal((await records()).length, 2);
    await run('prune', '--keep-last', '1', '--apply');
    assert.equal((await records()).length, 1, 'that of the removed backup went too');
    assert.equal((await json('list')).document.backups[0].verifiedSound, true);
  });
});
