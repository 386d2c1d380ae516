import type { Context } from 'hono';
import type { Assets } from '../assets.ts';
import type { ConsolePorts } from '../ports.ts';
import type { RefreshRate } from '../refresh-rate.ts';
import type { Route } from '../route.ts';
import type { Access } from './access.ts';
import type { Audit } from './audit.ts';
import type { Limit } from './limits.ts';
import { plainAddress } from './peers.ts';
import type { Asked } from './request.ts';

/** What answers to requests are made of. */
export interface Mounted {
  readonly ports: ConsolePorts;
  readonly access: Access;
  readonly audit: Audit;
  /** All of them are in it: what is not does not exist. */
  readonly routes: readonly Route[];
  readonly assets: Assets;
  /** When pages that are looked at come again. */
  readonly refresh: RefreshRate;
  /** Name of this host, for people. */
  readonly host: string;
  /** How many refusals are put on record: whoever sends many must not fill the disk. */
  readonly refusals: Limit;
  /** Of what went wrong in this program; whoever asked is told no more than the id. */
  readonly logError: (message: string, fields: Readonly<Record<string, string>>) => void;
}

/** What the server tells of a request besides itself, as `@hono/node-server` has it. */
interface Bindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
}

export function askedOf(context: Context): Asked {
  const { incoming } = (context.env ?? {}) as Bindings;
  const { pathname, search } = new URL(context.req.url);
  return {
    method: context.req.method,
    target: `${pathname}${search}`,
    peer: plainAddress(incoming?.socket?.remoteAddress ?? ''),
    header: (name) => context.req.header(name) ?? null,
  };
}
