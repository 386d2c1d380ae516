import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeFolder, runHere } from '../harness/command.ts';
import { type S3Server, startS3Server } from '../harness/s3-server/server.ts';
import type { Damage } from './damage.ts';
import { BUCKET_DAMAGE } from './vault/bucket.ts';
import { FILE_DAMAGE } from './vault/files.ts';
import { LOG_DAMAGE } from './vault/log.ts';
import { contents, summarise, type Verdict, verify } from './vault/look.ts';
import { MANIFEST_DAMAGE } from './vault/manifests.ts';
import { SEALED_DAMAGE } from './vault/sealed.ts';
import {
  copyOriginal,
  copyToBucket,
  makeOriginal,
  type Original,
  type VaultSpecimen,
} from './vault/specimen.ts';

type Make = (name: string) => Promise<VaultSpecimen>;

describe('the laboratory of damaged vaults', { concurrency: false }, () => {
  let folder: string;
  let remove: () => Promise<void>;
  let plain: Original;
  let sealed: Original;
  let server: S3Server;

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    plain = await makeOriginal(join(folder, 'plain'), false);
    sealed = await makeOriginal(join(folder, 'sealed'), true);
    server = await startS3Server();
    process.env.AWS_ACCESS_KEY_ID = server.accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = server.secretAccessKey;
  });
  after(async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name];
    await server.stop();
    await remove();
  });

  const inDirectory =
    (original: () => Original): Make =>
    (name) =>
      copyOriginal(original(), join(folder, name));
  const inBucket: Make = (name) => copyToBucket(plain, join(folder, name), { server, bucket: name });

  describe('files of backups', () =>
    examine(
      FILE_DAMAGE,
      'files',
      inDirectory(() => plain),
    ));
  describe('manifests and chains', () =>
    examine(
      MANIFEST_DAMAGE,
      'manifests',
      inDirectory(() => plain),
    ));
  describe('what is sealed and signed', () =>
    examine(
      SEALED_DAMAGE,
      'sealed',
      inDirectory(() => sealed),
    ));
  describe('the change log', () =>
    examine(
      LOG_DAMAGE,
      'log',
      inDirectory(() => plain),
    ));
  describe('buckets', () => examine(BUCKET_DAMAGE, 'bucket', inBucket));
});

function examine(kinds: readonly Damage<VaultSpecimen>[], group: string, make: Make): void {
  for (const [number, damage] of kinds.entries()) {
    it(damage.name, async () => {
      const specimen = await make(`${group}-${number}`);
      try {
        await examineOne(specimen, damage);
      } finally {
        await specimen.close();
      }
    });
  }
}

async function examineOne(specimen: VaultSpecimen, { does, expect }: Damage<VaultSpecimen>): Promise<void> {
  const before = await contents(specimen);
  const words = await does(specimen);
  const damaged = await contents(specimen);
  const found = await verify(specimen);
  assert.deepEqual(summarise(found.reports).sort(), [...expect.reports].sort(), shown(found));
  assert.equal(found.isSound, expect.reports.length === 0);
  assert.equal(rungOf(found, expect.reports[0]), expect.rung);
  assertNamed(found, words);
  if (expect.told !== undefined) {
    const { stdout, stderr } = await runHere([...expect.told.by, '--config', specimen.config]);
    assert.match(stdout + stderr, expect.told.as);
  }
  if (expect.repair.outcome === 'harmless') return;
  for (const end of specimen.passing) end();
  const healed = await verify(specimen, '--heal', ...(expect.repairWith ?? []));
  if (expect.repair.outcome === 'repaired') {
    assert.deepEqual(await contents(specimen), before, shown(healed));
    assert.deepEqual([healed.code, healed.reports], [0, []]);
    return;
  }
  assert.deepEqual(await contents(specimen), damaged, 'a refusal changes nothing');
  assert.match(healed.healing!.unhealed.map(({ reason }) => reason).join('; '), expect.repair.reason);
}

/** The rung that found what is expected first. */
function rungOf({ reports }: Verdict, expected: string | undefined): string | null {
  return reports.find((report) => summarise([report])[0] === expected)?.problem.rung ?? null;
}

/** Whoever reads the report knows where to look. */
function assertNamed({ reports }: Verdict, words: readonly string[]): void {
  const said = reports.map(({ problem }) => `${problem.file ?? ''}: ${problem.message}`).join('\n');
  for (const word of words) assert.ok(said.includes(word), `${word} is not named: ${said}`);
}

function shown({ reports, healing }: Verdict): string {
  return JSON.stringify({ reports, healing }, null, 1);
}
