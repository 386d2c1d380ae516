/** A vault in which a newer program has written: what this one understands it goes on with, the rest it names and leaves alone. docs/operating/upgrade.md says so. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fillStore, makeFolder, type Ran, runHere } from '../harness/command.ts';

/** As it would be, with a form and a checksum that fit. */
function makeNewer(path: string): void {
  const { manifestChecksum: _, ...manifest } = JSON.parse(readFileSync(path, 'utf8'));
  const newer = { ...manifest, formatVersion: 2, somethingNew: true };
  const checksum = createHash('sha256')
    .update(JSON.stringify(newer, null, 2))
    .digest('hex');
  writeFileSync(path, `${JSON.stringify({ ...newer, manifestChecksum: checksum }, null, 2)}\n`);
}

describe('a backup of a newer format', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let newerId: string;
  const eventcore = (...words: string[]): Promise<Ran> =>
    runHere([...words, '--vault', join(folder, 'vault')]);
  const store = () => `sqlite:${join(folder, 'events.db')}`;

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    await fillStore(store(), 50);
    assert.equal((await eventcore('backup', 'full', '--store', store())).code, 0);
    assert.equal((await eventcore('backup', 'incremental', '--store', store())).code, 0);
    const [manifest] = globSync(join(folder, 'vault/backups/incremental-*/manifest.json'));
    newerId = JSON.parse(readFileSync(manifest!, 'utf8')).backupId;
    makeNewer(manifest!);
  });

  after(() => remove());

  it('is named, with what to do, and is no damage to the doctor', async () => {
    const listed = await eventcore('list');
    assert.equal(listed.code, 0);
    assert.match(listed.stdout, /format version 2\n.*A newer program wrote it: use that one\./);
    const verified = await eventcore('verify');
    assert.equal(verified.code, 4);
    assert.match(verified.stdout, /format_unknown[\s\S]*hint: a newer program wrote it: use that one/);
    const doctor = await eventcore('doctor', '--store', store(), '--json');
    const check = JSON.parse(doctor.stdout).checks.find(({ name }: { name: string }) => name === 'manifests');
    assert.deepEqual([doctor.code, check.verdict], [0, 'warn']);
  });

  it('is refused when it is asked for, and passed over with a warning else', async () => {
    const asked = await eventcore('restore', '--backup', newerId, '--to', `sqlite:${join(folder, 'no.db')}`);
    assert.deepEqual([asked.code, /a newer program wrote it/.test(asked.stderr)], [5, true]);
    const restored = await eventcore('restore', '--to', `sqlite:${join(folder, 'yes.db')}`);
    assert.equal(restored.code, 0);
    assert.match(restored.stderr, /is passed over, and may be newer/);
  });

  it('stays whatever a rule says, with what it seems to build on', async () => {
    assert.equal((await eventcore('backup', 'full', '--store', store())).code, 0);
    const pruned = await eventcore('prune', '--keep-last', '1', '--apply');
    assert.equal(pruned.code, 0);
    assert.match(pruned.stdout, /a newer program wrote it: this one does not judge it/);
    assert.equal(globSync(join(folder, 'vault/backups/*/manifest.json')).length, 3);
  });
});
