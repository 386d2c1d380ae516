import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { makeFolder, runHere } from '../../harness/command.ts';

const folder = await makeFolder();
after(() => folder.remove());

const COMMON = `primary: { region: home, storage: "./backups/{name}" }
fleet: {}
`;

interface Answer {
  readonly stores: readonly { readonly name: string; readonly state: string; readonly reason: string }[];
}

describe('the status of a fleet', () => {
  it('says of a vault that is not there that there is no backup yet, and calls unreadable what cannot be read', async () => {
    const at = (...names: string[]): string => join(folder.path, ...names);
    writeFileSync(at('fleet.yaml'), COMMON);
    mkdirSync(at('stores'));
    const write = (name: string, more = ''): void =>
      writeFileSync(
        at('stores', `${name}.yaml`),
        `extends: ../fleet.yaml\nstore: sqlite:../shop.db\n${more}`,
      );
    write('new');
    write('promised', 'objectives: { rpo: 1h }\n');
    const ask = () => runHere(['status', '--fleet', '--json', '--config', at('fleet.yaml')]);
    const rowsOf = (stdout: string): string[] =>
      (JSON.parse(stdout) as Answer).stores.map(
        ({ name, state, reason }) => `${state} ${name}: ${reason.replaceAll(folder.path, '')}`,
      );
    const fresh = await ask();
    assert.deepEqual(rowsOf(fresh.stdout), [
      'bad promised: no backup yet: file:/backups/promised is not there',
      'warning new: no backup yet: file:/backups/new is not there',
    ]);
    assert.equal(fresh.code, 0, fresh.stderr);
    mkdirSync(at('backups', 'promised'), { recursive: true });
    write('plain');
    mkdirSync(at('backups', 'plain'));
    writeFileSync(at('backups', 'new'), 'a file where a folder is to be');
    const wrong = await ask();
    assert.match(rowsOf(wrong.stdout)[0]!, /^unreadable new: /);
    assert.ok(rowsOf(wrong.stdout).includes('warning plain: no backup yet'), wrong.stdout);
    assert.equal(wrong.code, 10);
  });
});
