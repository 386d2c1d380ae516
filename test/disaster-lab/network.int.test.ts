import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { freePort } from '../harness/free-port.ts';
import { startRelay } from './relay.ts';

const SILENCE_MS = 150;
const ANSWER_MS = 10_000;

test('on a cut way nothing comes and nobody is told, and what waited comes when it heals', async (t) => {
  const echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const at = { host: '127.77.1.1', port: await freePort() };
  const relay = await startRelay(at, { host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
    echo.close();
  });
  const open = (): Socket => {
    const socket = connect(at);
    sockets.push(socket);
    return socket;
  };
  const old = open();
  assert.equal(await ask(old, 'a', ANSWER_MS), 'a');
  relay.cut();
  assert.equal(await ask(old, 'b', SILENCE_MS), null);
  const young = open();
  assert.equal(await ask(young, 'c', SILENCE_MS), null);
  assert.deepEqual([old.destroyed, young.destroyed], [false, false]);
  relay.heal();
  assert.match((await ask(old, 'd', ANSWER_MS)) ?? '', /^b/);
  assert.match((await ask(young, 'e', ANSWER_MS)) ?? '', /^c/);
});

/** Sends a line and gives what comes back within a time; null when nothing does. */
async function ask(socket: Socket, line: string, withinMs: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const timer = setTimeout(() => resolve(null), withinMs);
  socket.once('data', (bytes) => resolve(bytes.toString()));
  socket.write(line);
  const answer = await promise;
  clearTimeout(timer);
  socket.removeAllListeners('data');
  return answer;
}
