import { Resolver } from 'node:dns/promises';
import type { Address } from './relay.ts';

/** Asks as an application's resolver does: an answer is used again until its time to live has run out. */
export interface NameCache {
  /** Throws where the server of names does not answer and no answer is young enough. */
  resolve(): Promise<string>;
}

const QUERY = { timeout: 500, tries: 2 };

export function makeNameCache(name: string, server: Address): NameCache {
  const resolver = new Resolver(QUERY);
  resolver.setServers([`${server.host}:${server.port}`]);
  let known: { readonly address: string; readonly untilMs: number } | null = null;
  return {
    resolve: async () => {
      if (known !== null && performance.now() < known.untilMs) return known.address;
      const askedAtMs = performance.now();
      const [answer] = await resolver.resolve4(name, { ttl: true });
      if (answer === undefined) throw new Error(`${name} has no address`);
      known = { address: answer.address, untilMs: askedAtMs + answer.ttl * 1000 };
      return known.address;
    },
  };
}
