import type { Socket } from 'node:net';
import type pg from 'pg';
import { BackupError } from '../core/errors.ts';
import type { ConnectionSettings } from './settings.ts';

/** What the server's messages ask for, in the words of require_auth. */
const WAYS: Readonly<Record<string, string>> = {
  authenticationCleartextPassword: 'password',
  authenticationMD5Password: 'md5',
  authenticationSASL: 'scram-sha-256',
  authenticationOk: 'none',
};

/**
 * Ends the connection before a password is sent in a way that is not wanted: a server that is not the one it says could ask for it in
 * clear. With `channel_binding=require` only SCRAM that is bound to this very TLS connection will do.
 */
export function refuseWeakAuthentication(
  client: pg.Client,
  { requireAuth, channelBinding }: ConnectionSettings,
  isEncrypted: boolean,
): void {
  if (requireAuth === null && channelBinding !== 'require') return;
  let asked: string | null = null;
  for (const [event, way] of Object.entries(WAYS)) {
    client.connection.once(event, (message: { mechanisms?: readonly string[] }) => {
      // The last word of every way is that it was gone.
      if (way === 'none' && asked !== null) return;
      asked = way;
      const isBound = isEncrypted && message.mechanisms?.includes('SCRAM-SHA-256-PLUS') === true;
      if (channelBinding === 'require' && !isBound) end(client, 'channel binding', 'channel_binding=require');
      else if (!isAllowed(way, requireAuth)) end(client, way, `require_auth=${requireAuth!.join(',')}`);
    });
  }
}

export function isAllowed(way: string, requireAuth: readonly string[] | null): boolean {
  if (requireAuth === null) return true;
  const isNegative = requireAuth[0]?.startsWith('!') === true;
  return isNegative ? !requireAuth.includes(`!${way}`) : requireAuth.includes(way);
}

function end(client: pg.Client, way: string, wanted: string): void {
  const message =
    way === 'channel binding'
      ? 'the server does not offer SCRAM that is bound to a TLS connection'
      : `the server asks for authentication by "${way}"`;
  const error = new BackupError('store_refused', `${message}, and ${wanted} does not allow it`, {
    hint: 'use scram-sha-256 in pg_hba.conf, over TLS, or change what the address demands',
  });
  (client.connection.stream as Socket).destroy(error);
}
