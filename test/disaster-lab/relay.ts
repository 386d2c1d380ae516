import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A way to a server that can be cut as a network is: nothing comes through and nobody is told; healed, all that waited does. */
export interface Relay {
  cut(): void;
  heal(): void;
  close(): void;
}

export async function startRelay(at: Address, to: Address): Promise<Relay> {
  const pairs = new Set<readonly [Socket, Socket | null]>();
  let isCut = false;
  const join = (near: Socket): void => {
    const far = connect({ ...to, allowHalfOpen: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    const end = (): void => {
      // What waits on a cut way is no end yet to the other side.
      if (isCut) return;
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [one, other] of [pair, [far, near]] as const) {
      one.on('error', () => undefined).on('close', end);
      one.on('data', (bytes) => other.write(bytes)).on('end', () => other.end());
      one.setNoDelay(true);
    }
  };
  const waiting: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
    near.on('error', () => undefined);
    if (isCut) {
      waiting.push(near);
      return;
    }
    join(near);
    near.resume();
  });
  server.listen(at.port, at.host);
  await once(server, 'listening');
  server.unref();
  return {
    cut: () => {
      isCut = true;
      for (const [near, far] of pairs) for (const end of [near, far]) end?.pause();
    },
    heal: () => {
      isCut = false;
      for (const pair of pairs) {
        const [near, far] = pair;
        if (near.destroyed || far === null || far.destroyed) {
          pairs.delete(pair);
          near.destroy();
          far?.destroy();
        } else for (const end of [near, far]) end.resume();
      }
      for (const near of waiting.splice(0)) {
        if (near.destroyed) continue;
        join(near);
        near.resume();
      }
    },
    close: () => {
      for (const pair of pairs) for (const end of pair) end?.destroy();
      for (const near of waiting) near.destroy();
      server.close();
    },
  };
}
