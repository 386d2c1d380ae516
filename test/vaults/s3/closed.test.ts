import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isBackupError } from '../../../src/core/errors.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';

const servers: net.Server[] = [];
const sockets = new Set<net.Socket>();
after(() => {
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
