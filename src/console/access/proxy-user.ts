import type { Role } from '../route.ts';
import type { ProxyConfig } from './config.ts';
import { type Networks, networksOf } from './peers.ts';
import type { Asked } from './request.ts';

export type ProxyUser =
  /** It does not come from the proxy, or the proxy names nobody: as if the headers were not there. */
  | { readonly state: 'none' }
  | { readonly state: 'known'; readonly name: string; readonly role: Exclude<Role, 'anyone'> }
  /** The proxy knows them, but none of their groups may get in. */
  | { readonly state: 'refused'; readonly name: string };

/** Reads who a proxy says that somebody is. */
export function makeProxyReader(config: ProxyConfig | null): (asked: Asked) => ProxyUser {
  if (config === null) return () => ({ state: 'none' });
  const isProxy: Networks = networksOf(config.from);
  return (asked) => {
    if (!isProxy(asked.peer)) return { state: 'none' };
    const name = asked.header(config.userHeader)?.trim() ?? '';
    if (name === '') return { state: 'none' };
    const role = isName(name) ? roleOf(asked.header(config.groupsHeader), config) : null;
    return role === null ? { state: 'refused', name } : { state: 'known', name, role };
  };
}

/** Two headers of one name come as one with a comma: a proxy that let through what somebody else sent. */
function isName(name: string): boolean {
  return name.length <= 200 && /^[^\p{Cc},]+$/u.test(name);
}

function roleOf(groups: string | null, { operators, viewers }: ProxyConfig): Exclude<Role, 'anyone'> | null {
  const own = (groups ?? '').split(',').map((group) => group.trim());
  if (own.some((group) => operators.includes(group))) return 'operator';
  return own.some((group) => viewers.includes(group)) ? 'viewer' : null;
}
