import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Hands bytes on to a server on this machine. Connections that are made later always work. */
export interface FreezingProxy {
  readonly port: number;
  /** Both sides hear nothing more, and no end either. */
  freeze(): void;
  /** The near side is told that its connections are gone; the server hears nothing more, and no end either. */
  cut(): void;
  close(): void;
}

export async function startFreezingProxy(to: number): Promise<FreezingProxy> {
  const pairs: { readonly near: Socket; readonly onward: Socket }[] = [];
  const frozen = new Set<Socket>();
  const proxy = createServer((near) => {
    const onward = connect(to, '127.0.0.1');
    pairs.push({ near, onward });
    for (const end of [near, onward]) end.on('error', () => undefined);
    near.on('close', () => frozen.has(near) || onward.destroy());
    onward.on('close', () => frozen.has(near) || near.destroy());
    near.on('data', (bytes) => onward.write(bytes));
    onward.on('data', (bytes) => near.write(bytes));
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  assert.ok(typeof address === 'object' && address !== null);
  const freeze = (): void => {
    for (const { near, onward } of pairs) {
      frozen.add(near);
      for (const end of [near, onward]) end.removeAllListeners('data').pause();
    }
  };
  return {
    port: address.port,
    freeze,
    cut: () => {
      freeze();
      for (const { near } of pairs) near.resetAndDestroy();
    },
    close: () => {
      for (const { near, onward } of pairs) {
        near.destroy();
        onward.destroy();
      }
      proxy.close();
    },
  };
}
