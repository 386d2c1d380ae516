/** What the stores of a fleet have in common, and what is a store's own. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadSettings, requireAddress, type Settings } from '../../../src/cli/config/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-common-'));
mkdirSync(join(folder, 'stores'));
after(() => rmSync(folder, { recursive: true, force: true }));

const COMMON = `
backup: { level: 3, parallel: 2 }
primary: { region: a, storage: "./backups/{labels.team}/{name}", schedule: "0 2 * * *" }
replicas: [{ region: b, storage: "./copies/{name}" }]
labels: { team: none, site: fra }
serve: { listen: 127.0.0.1:9000, jitter: 2h, jobs: { full: "0 2 * * 0" }, restore_to: [{ name: disk, sqlite: ./restored }] }
fleet: { at_once: { all: 12 } }
notify: [{ command: ["/usr/bin/tell", "\${name}"] }]
encryption: { passphrase: "file:./secret" }
`;

function read(own: string, name = 'orders', common = COMMON): Promise<Settings> {
  writeFileSync(join(folder, 'fleet.yaml'), common);
  const config = join(folder, 'stores', `${name}.yaml`);
  writeFileSync(config, `extends: ../fleet.yaml\n${own}`);
  return loadSettings({ flags: { config }, env: {}, cwd: '/' });
}

describe('a configuration that extends another', () => {
  it('has what the other says, with its own name and labels, and paths from the folder of each', async () => {
    const settings = await read('store: sqlite:./orders.db\nlabels: { team: sales }\n');
    assert.equal(settings.store, `sqlite:${join(folder, 'stores/orders.db')}`);
    assert.equal(settings.vault, `file:${join(folder, 'backups/sales/orders')}`);
    assert.equal(settings.policy?.replicas[0]?.storage, `file:${join(folder, 'copies/orders')}`);
    assert.equal(settings.encryption.passphrase, `file:${join(folder, 'secret')}`);
    assert.deepEqual(settings.labels, { team: 'sales', site: 'fra' });
    assert.equal(settings.common?.path, join(folder, 'fleet.yaml'));
    assert.deepEqual(settings.serve.restore_to?.[0], { name: 'disk', sqlite: join(folder, 'restored') });
    // What a shell would fill in is left to it.
    assert.match(JSON.stringify(settings.notify), /\$\{name\}/);
  });

  it('puts its own in place of the other, key by key, and lets go of what it names as empty', async () => {
    const own = 'store: sqlite:/x.db\nbackup: { level: 9 }\nreplicas: ~\nserve: { jobs: { full: off } }\n';
    const { backup, policy, serve } = await read(own);
    assert.deepEqual(backup, { level: 9, parallel: 2 });
    assert.deepEqual(policy?.replicas, []);
    assert.deepEqual([serve.jobs?.full, serve.jitter], ['off', 7_200_000]);
  });

  it('has neither the fleet nor the door of the other: one daemon has one door', async () => {
    const settings = await read('store: sqlite:/x.db\n');
    assert.deepEqual([settings.fleet, settings.serve.listen], [null, undefined]);
  });

  it('says which file is at fault', async () => {
    await assert.rejects(read('stor: x\n'), {
      code: 'config_invalid',
      message: /orders\.yaml: unknown key `stor`/,
    });
    await assert.rejects(read('', 'orders', 'vautl: x\n'), { message: /fleet\.yaml: unknown key `vautl`/ });
    await assert.rejects(read('extends: ../fleet.yaml\n'), { code: 'config_invalid' });
    await assert.rejects(read('', 'orders', 'extends: ./other.yaml\n'), {
      message: /which extends another file/,
    });
    await assert.rejects(read('', 'orders', 'vault: "s3://b/{labels.tier}"\n'), {
      message: /its label "tier"/,
    });
    await assert.rejects(read('labels: { team: ../../etc }\n'), { code: 'config_invalid' });
    await assert.rejects(read('', '..'), { message: /cannot stand for `\{name\}`/ });
    await read('store: sqlite:/x.db\n');
    rmSync(join(folder, 'fleet.yaml'));
    const config = join(folder, 'stores/orders.yaml');
    await assert.rejects(loadSettings({ flags: { config }, env: {}, cwd: '/' }), {
      message: /cannot read .*fleet\.yaml/,
    });
  });

  it('is no store by itself where it is what a fleet has in common', async () => {
    writeFileSync(join(folder, 'fleet.yaml'), COMMON);
    const settings = await loadSettings({ flags: { config: join(folder, 'fleet.yaml') }, env: {}, cwd: '/' });
    assert.deepEqual(settings.fleet, { at_once: { all: 12 } });
    assert.throws(() => requireAddress(settings, 'vault'), { code: 'usage', message: /have in common/ });
  });
});
