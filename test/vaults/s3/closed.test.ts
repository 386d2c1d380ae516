import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isBackupError } from '../../../src/core/errors.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { listenToNobody } from './full-queue.ts';

const servers: net.Server[] = [];
const sockets = new Set<net.Socket>();
const stops: (() => void)[] = [];
after(() => {
  for (const stop of stops) stop();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** Something that listens and is no S3 server. */
async function listen(onConnection: (socket: net.Socket) => void): Promise<string> {
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return `s3://bucket?endpoint=http://127.0.0.1:${port}&forcePathStyle=true`;
}

const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };

/** How long what is under way takes to end after the vault was closed. */
async function endsWithin(address: string, limits: { readonly pauseMs: number }): Promise<number> {
  const vault = openS3Vault(address, { credentials, limits });
  const opening = vault.open({ create: false });
  const failed = assert.rejects(opening, (error) => isBackupError(error));
  await sleep(300);
  const closedAtMs = performance.now();
  await vault.close();
  await failed;
  return performance.now() - closedAtMs;
}

describe('a server whose connections are never taken', () => {
  it('is given up after the time for that', async () => {
    const nobody = await listenToNobody();
    stops.push(nobody.stop);
    const address = `s3://bucket?endpoint=http://127.0.0.1:${nobody.port}&forcePathStyle=true`;
    const vault = openS3Vault(address, { credentials, limits: { connectMs: 300, attempts: 2, pauseMs: 1 } });
    const begunMs = performance.now();
    await assert.rejects(vault.open({ create: false }), (error) => isBackupError(error, 'vault_unreachable'));
    const tookMs = performance.now() - begunMs;
    assert.ok(tookMs >= 500 && tookMs < 5000, `${tookMs} ms`);
    await vault.close();
  });

  it('keeps no program from ending that has closed the vault', async () => {
    const nobody = await listenToNobody();
    stops.push(nobody.stop);
    const address = `s3://bucket?endpoint=http://127.0.0.1:${nobody.port}&forcePathStyle=true`;
    const module = new URL('../../../src/vaults/s3/vault.ts', import.meta.url).href;
    const script = `const { openS3Vault } = await import(${JSON.stringify(module)});
      const vault = openS3Vault(${JSON.stringify(address)}, { credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
      const opening = vault.open({ create: false }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await vault.close();
      await opening;
      console.log(Date.now());`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (text: Buffer) => {
      said += text.toString();
    });
    await once(child, 'close');
    const lateMs = Date.now() - Number(said);
    assert.ok(lateMs >= 0 && lateMs < 3000, `it ended ${lateMs} ms after its work`);
  });
});

describe('a vault that is closed keeps no program from ending', () => {
  it('while a server says nothing', async () => {
    const address = await listen(() => undefined);
    assert.ok((await endsWithin(address, { pauseMs: 200 })) < 500);
  });

  it('while it waits for the next attempt', async () => {
    const address = await listen((socket) => socket.destroy());
    assert.ok((await endsWithin(address, { pauseMs: 600_000 })) < 500);
  });
});
