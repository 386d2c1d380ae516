import { hostsOf, parsePostgresUri } from '../../core/postgres-address.ts';
import { storeScheme, vaultScheme } from '../address.ts';

/** What stores of a fleet share, by their addresses: for limits, and to show. Without names of roles, and without passwords. */

/** The server that a store is on, as host:port; null where it is a file, or named by a service. */
export function serverOf(store: string | null): string | null {
  if (store === null || storeScheme(store) !== 'postgres') return null;
  const uri = parsePostgresUri(store);
  if (uri === null) return null;
  const hosts = hostsOf(uri).map(({ host, port }) => `${host || 'localhost'}:${port || '5432'}`);
  return hosts.length === 0 ? null : hosts.join(',');
}

/** The bucket that a vault is in, or all file systems of this host. */
export function vaultPlace(vault: string): string {
  if (vaultScheme(vault) !== 's3') return 'this host';
  const { host, searchParams } = new URL(vault);
  const endpoint = searchParams.get('endpoint');
  return endpoint === null
    ? `s3://${host}`
    : `s3://${host} at ${endpoint.replace(/^[a-z]+:\/\/(?:[^@/]*@)?/i, '')}`;
}
