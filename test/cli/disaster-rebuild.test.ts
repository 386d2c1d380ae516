import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Ran, runHere, withStoreAt } from '../harness/command.ts';
import { freePort } from '../harness/free-port.ts';

/** A region is lost with all its servers, and what the vaults have becomes a store again, in a file: no server is needed for that. */
describe('a full rebuild', () => {
  let folder = '';
  let config = '';
  const run = (...words: string[]): Promise<Ran> => runHere([...words, '--config', config]);
  const store = (name: string): string => `sqlite:${join(folder, name)}`;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'disaster-rebuild-'));
    config = join(folder, 'eventcore.config.yaml');
    const port = await freePort();
    writeFileSync(join(folder, 'off.sh'), 'case "$1" in apply) touch off ;; check) test -e off ;; esac');
    writeFileSync(
      config,
      `store: sqlite:./events.db
vault: ./west
disaster:
  probe_timeout: 1s
  regions:
    - region: east
      vault: ./east
      servers: ["postgres://postgres@127.0.0.1:${port}/events"]
      fence: [{ command: [sh, off.sh] }]
    - region: west
      vault: ./west
      servers: ["postgres://postgres@127.0.0.1:${port}/other"]
      fence: [{ command: [sh, off.sh] }]
      restore_to: sqlite:./rebuilt.db
`,
    );
    await withStoreAt(store('events.db'), async (opened) => {
      await opened.initialise();
      await opened.append([{ streamId: 'order-1', events: [{ type: 'Added', data: '{"n":1}' }] }]);
    });
    assert.equal((await run('backup', 'full')).code, 0);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('says that nobody answers, and what that means for each way', async () => {
    const ran = await run('dr', 'assess', '--trigger', 'region_outage');
    assert.equal(ran.code, 5);
    assert.match(ran.stdout, /Nobody knows which server the primary is/);
    assert.match(ran.stderr, /the vault .*east of region east cannot be used/);
    assert.match(ran.stdout, /full_rebuild: rebuild in a clean place/);
  });

  it('needs what is at risk to be accepted, and then brings the events back', async () => {
    const planned = JSON.parse((await run('dr', 'plan', '--trigger', 'region_outage', '--json')).stdout);
    assert.equal(planned.strategy.kind, 'full_rebuild');
    const words = (planned.approve as string).split(' ').slice(1);
    assert.equal((await run(...words.filter((word) => !word.startsWith('--accept')))).code, 9);
    const rehearsed = await run(...words, '--dry-run');
    assert.equal(rehearsed.code, 0, rehearsed.stdout);
    const ran = await run(...words, '--json');
    // What only the lost servers have is counted when one of them is there again.
    assert.equal(ran.code, 10, ran.stderr);
    const outcome = JSON.parse(ran.stdout);
    assert.equal(outcome.state, 'in_part');
    assert.equal(outcome.dataLoss.exactEvents, null);
    const [event] = await withStoreAt(store('rebuilt.db'), (opened) =>
      opened.readStream('order-1', { fromVersion: 1n, limit: 2 }),
    );
    assert.equal(event?.type, 'Added');
    assert.match((await run('list')).stdout, /2 backups/);
  });

  it('is not made a second time into what it has filled', async () => {
    const again = await run('dr', 'plan', '--trigger', 'region_outage');
    assert.equal(again.code, 9);
    assert.match(again.stderr, /no other region has a `restore_to`/);
  });
});
