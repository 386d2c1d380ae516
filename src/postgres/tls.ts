import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { BackupError } from '../core/errors.ts';
import type { Place, SslSettings } from './settings.ts';

/** What TLS to a place takes. Files are read each time: certificates are renewed while a process runs. Throws `store_refused`. */
export function tlsOptions(ssl: SslSettings, { host }: Place): tls.ConnectionOptions {
  return {
    host,
    // A name alone may be sent (RFC 6066).
    ...(ssl.sendsName && isIP(host) === 0 ? { servername: host } : { servername: '' }),
    ...(ssl.minVersion === null ? {} : { minVersion: ssl.minVersion as tls.SecureVersion }),
    ...(ssl.maxVersion === null ? {} : { maxVersion: ssl.maxVersion as tls.SecureVersion }),
    ...(ssl.negotiation === 'direct' ? { ALPNProtocols: ['postgresql'] } : {}),
    ...trustOptions(ssl, host),
    ...clientCertificate(ssl),
  };
}

/**
 * Whom we believe, as libpq does: `verify-ca` and `verify-full` need authorities; every other mode believes everybody, unless there are
 * authorities to ask.
 */
function trustOptions(ssl: SslSettings, host: string): tls.ConnectionOptions {
  if (ssl.rootCert === 'system') {
    return {
      ca: systemAuthorities(),
      ...revocations(ssl, null),
      rejectUnauthorized: true,
      checkServerIdentity: namedAs(host),
    };
  }
  const path = ssl.rootCert ?? join(ssl.folder, 'root.crt');
  const ca = readIfThere(path, 'sslrootcert');
  if (ca === null) {
    if (!ssl.mode.startsWith('verify') && hasNoLists(ssl)) return { rejectUnauthorized: false };
    throw new BackupError('store_refused', `root certificate file ${path} does not exist`, {
      hint: 'name the file of the authority (sslrootcert=…), sslrootcert=system for public ones, or an sslmode that verifies nothing (without sslcrl)',
    });
  }
  if (!/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/.test(ca)) throw noCertificate(path);
  return {
    ca,
    ...revocations(ssl, join(ssl.folder, 'root.crl')),
    rejectUnauthorized: true,
    checkServerIdentity: ssl.mode === 'verify-full' ? namedAs(host) : () => undefined,
  };
}

/** Those that the machine trusts, or SSL_CERT_FILE and SSL_CERT_DIR name; Node reads them once. */
function systemAuthorities(): string[] {
  const found = tls.getCACertificates('system');
  if (found.length > 0) return found;
  throw new BackupError(
    'store_refused',
    'this machine knows no certificate authorities (sslrootcert=system)',
    {
      hint: 'install ca-certificates, name a file of them in SSL_CERT_FILE, or name the authority itself with sslrootcert=FILE',
    },
  );
}

const CRL = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g;

/**
 * Which certificates authorities took back. Where there are any lists, there must be one of each authority on the way, and none that is out
 * of date, as with libpq. `usual`: where one may lie that nobody named. What is named has to be there: libpq would check nothing then.
 */
function revocations({ crl, crlFolder }: SslSettings, usual: string | null): tls.ConnectionOptions {
  const named = [
    ...(crl === null ? [] : [readList(crl, 'sslcrl')]),
    ...(crlFolder === null ? [] : readLists(crlFolder)),
  ];
  const unnamed = named.length > 0 || usual === null ? null : readIfThere(usual, 'sslcrl');
  const texts = unnamed === null ? named : [unnamed];
  if (texts.length === 0) return {};
  // Of a text with several, Node takes the first.
  const lists = texts.flatMap((text) => text.match(CRL) ?? []);
  if (lists.length > 0) return { crl: lists };
  throw noList(usual!, 'sslcrl');
}

function hasNoLists({ crl, crlFolder }: SslSettings): boolean {
  return crl === null && crlFolder === null;
}

function readList(path: string, parameter: string): string {
  const text = readIfThere(path, parameter);
  if (text?.match(CRL) == null) throw noList(path, parameter);
  return text;
}

/** As `openssl rehash` names them. */
const HASHED = /^[0-9a-f]{8}\.r\d{1,9}$/;

function readLists(folder: string): string[] {
  const names = namesIn(folder).filter((name) => HASHED.test(name));
  if (names.length === 0) throw noList(folder, 'sslcrldir');
  return names.map((name) => readList(join(folder, name), 'sslcrldir'));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw new BackupError(
      'store_refused',
      `${folder} cannot be read (sslcrldir): ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

function noList(path: string, parameter: string): BackupError {
  return new BackupError('store_refused', `${path} holds no certificate revocation list (${parameter})`, {
    hint: 'it must be there in PEM form; in a folder, `openssl rehash FOLDER` gives the names that count',
  });
}

/** The name in the address counts, whatever was sent or looked up. */
function namedAs(host: string): NonNullable<tls.ConnectionOptions['checkServerIdentity']> {
  return (_, certificate) => tls.checkServerIdentity(host, certificate);
}

function clientCertificate(ssl: SslSettings): tls.ConnectionOptions {
  if (ssl.cert === '') return {};
  const path = ssl.cert ?? join(ssl.folder, 'postgresql.crt');
  const cert = readIfThere(path, 'sslcert');
  if (cert === null) {
    if (ssl.cert === null) return {};
    throw new BackupError('store_refused', `certificate file ${path} does not exist (sslcert)`);
  }
  const keyPath = ssl.key ?? join(ssl.folder, 'postgresql.key');
  const key = readIfThere(keyPath, 'sslkey');
  if (key === null) {
    throw new BackupError(
      'store_refused',
      `certificate present, but not private key file ${keyPath} (sslkey)`,
    );
  }
  requirePrivate(keyPath);
  return { cert, key, ...(ssl.keyPassword === null ? {} : { passphrase: ssl.keyPassword }) };
}

const OTHERS = 0o077;
const OTHERS_OF_ROOTS = 0o037;

/** Root's may be read by a group, as Kubernetes and Debian's ssl-cert have it. */
function requirePrivate(path: string): void {
  if (process.platform === 'win32') return;
  const { mode, uid } = statSync(path);
  if ((mode & (uid === 0 ? OTHERS_OF_ROOTS : OTHERS)) === 0) return;
  throw new BackupError('store_refused', `private key file ${path} has group or world access`, {
    hint: 'chmod 0600, or 0640 where it is owned by root',
  });
}

function readIfThere(path: string, parameter: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new BackupError(
      'store_refused',
      `${path} cannot be read (${parameter}): ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

function noCertificate(path: string): BackupError {
  return new BackupError('store_refused', `${path} holds no certificate (sslrootcert)`, {
    hint: 'it must be in PEM form, with the certificate of the authority that signed the server’s',
  });
}
