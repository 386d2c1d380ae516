import { chmodSync, chownSync, copyFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificate, makeCertificate, signCertificate } from './certificate.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';

/** Of every role that has one. */
export const PASSWORD = 's3cret /@:\\';

/** A server whose certificate is for `db.test`, and roles that are let in each in one way only. */
export interface TlsPostgres {
  readonly server: TestPostgres;
  /** In the folder. */
  readonly authority: Certificate;
  /** Of the server. */
  readonly own: Certificate;
  /** Of the role `certified`. */
  readonly client: Certificate;
  /** Of its sockets. */
  readonly socketFolder: string;
}

const RULES = `
local    all         sock                   scram-sha-256
local    all         postgres               trust
host     all         postgres  127.0.0.1/32 trust
host     replication postgres  127.0.0.1/32 trust
hostssl  all         scram     127.0.0.1/32 scram-sha-256
hostssl  all         clear     127.0.0.1/32 password
hostssl  all         certified 127.0.0.1/32 cert
hostnossl all        plain     127.0.0.1/32 scram-sha-256
`;

/** `version`: of the server; left out: as of all tests. */
export async function startTlsPostgres(folder: string, version?: string): Promise<TlsPostgres> {
  const authority = makeCertificate(folder, 'authority');
  const own = signCertificate(folder, authority, 'db.test', 'DNS:db.test');
  const client = signCertificate(folder, authority, 'certified');
  for (const { key } of [own, client]) chmodSync(key, 0o600);
  const server = await startPostgres(version === undefined ? {} : { version });
  const { uid, gid } = statSync(server.dataDir);
  const place = (file: string, name: string): void => {
    const path = join(server.dataDir, name);
    copyFileSync(file, path);
    chownSync(path, uid, gid);
    chmodSync(path, 0o600);
  };
  place(own.cert, 'own.crt');
  place(own.key, 'own.key');
  place(authority.cert, 'authority.crt');
  for (const [name, value] of [
    ['ssl_cert_file', 'own.crt'],
    ['ssl_key_file', 'own.key'],
    ['ssl_ca_file', 'authority.crt'],
    ['ssl', 'on'],
  ])
    await server.exec(`ALTER SYSTEM SET ${name} = '${value}'`);
  const literal = PASSWORD.replaceAll("'", "''");
  for (const role of ['scram', 'clear', 'certified', 'plain', 'sock'])
    await server.exec(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${literal}'`);
  writeFileSync(join(server.dataDir, 'pg_hba.conf'), RULES);
  await server.exec('SELECT pg_reload_conf()');
  await isReloaded(server);
  return { server, authority, own, client, socketFolder: join(server.dataDir, '..') };
}

/** The server reads its files a moment after it is told to. */
async function isReloaded(server: TestPostgres): Promise<void> {
  for (;;) {
    const rows = await server.exec(`SELECT current_setting('ssl') AS ssl`);
    if (rows[0]!.ssl === 'on') return;
  }
}
