import type { Endpoint } from './wanted.ts';

/** Whom an address leads to: the hosts and ports of what is written in a configuration. Names are not looked up. */

const PORTS: Readonly<Record<string, number>> = {
  ...{ postgres: 5432, postgresql: 5432, https: 443, http: 80, smtps: 465, smtp: 587 },
};
/** A bucket of Amazon's, and who gives credentials for it. */
const AMAZON: readonly Endpoint[] = [{ host: null, port: 443 }];

/** None for what is no address, or is of this host. */
export function endpointsOf(text: string): readonly Endpoint[] {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? [];
  const kind = scheme.toLowerCase();
  if (kind === 's3' || kind === 'glacier') return bucketEndpoints(rest);
  const port = PORTS[kind];
  if (port === undefined) return text.startsWith('arn:') ? AMAZON : [];
  // The part with the hosts may name several; a name and a password stand before the last @.
  const authority = rest.split(/[/?#]/)[0]!;
  return authority
    .slice(authority.lastIndexOf('@') + 1)
    .split(',')
    .flatMap((host) => endpointOf(host, port));
}

function bucketEndpoints(rest: string): readonly Endpoint[] {
  const query = rest.includes('?') ? rest.slice(rest.indexOf('?')) : '';
  const endpoint = new URLSearchParams(query).get('endpoint');
  return endpoint === null ? AMAZON : endpointsOf(endpoint);
}

function endpointOf(text: string, usual: number): Endpoint[] {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || isLoopback(host)) return [];
  return [{ host: host.toLowerCase(), port: port === undefined ? usual : Number(port) }];
}

function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host);
}
