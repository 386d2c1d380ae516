/** A configuration that changes while it is served. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandContext } from '../../src/cli/context.ts';
import type { ServiceLog } from '../../src/cli/log.ts';
import { readServed } from '../../src/cli/serve/config.ts';
import type { ServeContext } from '../../src/cli/serve/log.ts';
import { makeAskStatus } from '../../src/cli/serve/status.ts';
import {
  beginStore,
  keepReading,
  openServedVault,
  openVaults,
  type Served,
} from '../../src/cli/serve/store.ts';
import { makeRegistry } from '../../src/daemon/registry.ts';
import { makeTurns } from '../../src/daemon/turns.ts';
import { CAPS_OF_FEW } from '../../src/policy/turns.ts';
import { freePort } from '../harness/free-port.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-reload-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function writeConfig(vault: string): string {
  const file = join(folder, 'shop.yaml');
  const lines = [
    'store: sqlite:./shop.db',
    `vault: ${vault}`,
    'serve:',
    '  jobs: { archive: always, doctor: off }',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

function makeContext() {
  const said: string[] = [];
  const stop = new AbortController();
  const say = (message: string): void => void said.push(message);
  const log: ServiceLog = {
    ...{ error: say, warn: () => undefined, info: say, debug: () => undefined, tell: say },
    about: ({ job }) => (job === undefined ? log : { ...log, error: () => undefined, info: () => undefined }),
  };
  const { env } = process;
  const context = { flags: { config: null }, env, cwd: folder, signal: stop.signal, log, software: 'test' };
  return { context: context as unknown as CommandContext & ServeContext, said, stop };
}

describe('a store that moves to another vault', () => {
  it('stays with the old one while the new one is away, which is told once, and follows when it is there', async () => {
    const { context, said, stop } = makeContext();
    const file = writeConfig('./vault');
    const store = await readServed(context, file);
    const turns = makeTurns(CAPS_OF_FEW, Date.now);
    const shared = {
      registry: makeRegistry(),
      turns,
      forget: () => undefined,
      tracing: null,
      askStatus: makeAskStatus(() => 1),
    };
    const services: Served[] = [
      await beginStore(context, store, { ...shared, vault: await openServedVault(store) }),
    ];
    const [first] = services;
    const everyMs = { look: 20, tryAgain: 100 };
    const reading = keepReading(context, { services, index: 0, shared, take: () => undefined, everyMs });
    writeFileSync(join(folder, 'disk'), 'no folder');
    writeConfig('./disk/vault');
    for (let i = 0; i < 200 && said.length === 0; i += 1) await sleep(20);
    await sleep(300);
    assert.match(said.join('\n'), /^the old configuration stays in force: [^\n]+$/);
    assert.equal(services[0], first);
    rmSync(join(folder, 'disk'));
    for (let i = 0; i < 500 && services[0] === first; i += 1) await sleep(20);
    assert.notEqual(services[0], first);
    assert.equal(existsSync(join(folder, 'disk/vault')), true);
    stop.abort();
    await reading;
    await services[0]!.stop();
  });
});

describe('a daemon that is started while a vault is away', () => {
  before(() => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'none' });
  });

  it('begins all the same, says so, and goes on trying', async () => {
    // To load it takes longer than is waited for a vault here.
    await import('@aws-sdk/client-s3');
    const { context, said } = makeContext();
    const bucket = `s3://backups/shop?endpoint=http://127.0.0.1:${await freePort()}&forcePathStyle=true`;
    const here = await readServed(context, writeConfig('./vault-here'));
    const away = await readServed(context, writeConfig(JSON.stringify(bucket)));
    const vaults = await openVaults(context, [here, away], { openMs: 2000, restMs: 1000 });
    assert.equal(await vaults[0]!.stat('a'), null);
    await assert.rejects(vaults[1]!.stat('a'), { code: 'vault_unreachable' });
    assert.match(said.join('\n'), /^jobs wait for the vault: [^\n]+$/);
    for (const vault of vaults) await vault.close();
  });

  it('does not begin with what time does not mend', async () => {
    const { context } = makeContext();
    writeFileSync(join(folder, 'file'), 'no folder');
    const here = await readServed(context, writeConfig('./vault-here'));
    const wrong = await readServed(context, writeConfig('./file/vault'));
    await assert.rejects(openVaults(context, [here, wrong]), { code: 'vault_refused' });
  });
});
