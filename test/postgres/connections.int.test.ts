import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { NEW_LOG } from '../../src/core/change-feed.ts';
import { readPostgresUri } from '../../src/core/postgres-address.ts';
import { connectPostgres } from '../../src/postgres/connect.ts';
import { toBackupError } from '../../src/stores/postgres/server-error.ts';
import { hashedLists, makeCertificate, revoke, whyNoCertificates } from '../harness/certificate.ts';
import { digestAt, fillStore, makeFolder, runCommand, runHere, withStoreAt } from '../harness/command.ts';
import { freePort } from '../harness/free-port.ts';
import { startStandby, type TestPostgres, versionsHere } from '../harness/postgres.ts';
import { PASSWORD, startTlsPostgres, type TlsPostgres } from '../harness/tls-postgres.ts';

const EVENTS = 800;
/** Of a server that says nothing. */
const PATIENCE_MS = 1500;
const secret = encodeURIComponent(PASSWORD);

describe('the ways to PostgreSQL', { skip: whyNoCertificates() ?? false }, () => {
  let folder: string;
  let remove: () => Promise<void>;
  let tls: TlsPostgres;
  let server: TestPostgres;
  let standby: TestPostgres;
  let digest: string;
  let database: string;
  let deadPort: number;
  /** Takes connections and never says a word. */
  let silent: Server;
  /** The name that the certificate bears, where the server is. */
  let named: string;
  let ca: string;

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    tls = await startTlsPostgres(folder);
    ({ server } = tls);
    database = await server.createDatabase();
    digest = await fillStore(server.address(database), EVENTS);
    standby = await startStandby(server);
    deadPort = await freePort();
    silent = createServer().listen(0, '127.0.0.1');
    named = `hostaddr=127.0.0.1&host=db.test&port=${server.port}`;
    ca = `sslrootcert=${tls.authority.cert}`;
  });
  after(async () => {
    silent?.close();
    await standby?.stop();
    await server?.stop();
    await remove?.();
  });

  /** Where a connection leads, and how it is made. */
  async function lookAt(address: string, timeoutMs = 15_000) {
    const { client } = await connectPostgres(readPostgresUri(address), {
      ...{
        shown: 'postgres://shown',
        program: 'eventcore-test',
        timeoutMs,
        explain: (error) => toBackupError(error, 'postgres://shown'),
      },
    });
    try {
      const { rows } = await client.query(
        `SELECT current_user::text AS role, inet_server_port() AS port, coalesce(ssl, false) AS ssl,
                client_dn AS dn, current_setting('application_name') AS name
           FROM (SELECT) AS one LEFT JOIN pg_stat_ssl ON pid = pg_backend_pid()`,
      );
      return rows[0] as { role: string; port: number | null; ssl: boolean; dn: string | null; name: string };
    } finally {
      await client.end();
    }
  }

  async function refused(address: string, code: string, reason: RegExp): Promise<void> {
    await assert.rejects(lookAt(address), (error: Error & { code: string; hint: string | null }) => {
      assert.match(`${error.message}\n${error.hint}`, reason);
      assert.equal(error.code, code);
      assert.ok(!`${error.message}${error.hint}`.includes('s3cret'), error.message);
      return true;
    });
  }

  it('verifies what sslmode asks for, and nothing else', async () => {
    const scram = (more: string): string => `postgres://scram:${secret}@/${database}?${more}`;
    const there = `host=127.0.0.1&port=${server.port}`;
    makeCertificate(folder, 'stranger');
    const stranger = `sslrootcert=${join(folder, 'stranger.pem')}`;
    for (const more of [
      `${named}&${ca}&sslmode=verify-full`,
      `${there}&${ca}&sslmode=verify-ca`,
      `${there}&${ca}&sslmode=require`,
      `${there}&sslmode=require`,
      there,
      `${there}&sslmode=allow`,
      `${named}&${ca}&sslmode=verify-full&channel_binding=require&require_auth=scram-sha-256`,
    ])
      assert.equal((await lookAt(scram(more))).ssl, true, more);
    await refused(
      scram(`${there}&${ca}&sslmode=verify-full`),
      'store_refused',
      /does not match certificate.*127\.0\.0\.1|127\.0\.0\.1.*altnames/s,
    );
    for (const mode of ['verify-full', 'verify-ca', 'require'])
      await refused(scram(`${named}&${stranger}&sslmode=${mode}`), 'store_refused', /certificate/);
    await refused(
      scram(`${named}&sslmode=verify-ca`),
      'store_refused',
      /root certificate file \S+ does not exist/,
    );
    await refused(scram(`${there}&sslmode=disable`), 'store_refused', /no pg_hba.conf entry.*no encryption/s);
  });

  it('asks the lists of what authorities took back, or refuses where one that is named says nothing', async () => {
    const scram = (more: string): string =>
      `postgres://scram:${secret}@/${database}?${named}&sslmode=verify-full&${more}`;
    const sound = revoke(folder, tls.authority, [tls.client]);
    const revoked = revoke(folder, tls.authority, [tls.own]);
    const others = revoke(folder, makeCertificate(folder, 'other'), []);
    const both = join(folder, 'both.crl');
    writeFileSync(both, readFileSync(others, 'utf8') + readFileSync(sound, 'utf8'));
    for (const more of [
      `sslcrl=${sound}`,
      `sslcrl=${both}`,
      `sslcrldir=${hashedLists(folder, [others, sound])}`,
      `sslcrl=${others}&sslcrldir=${hashedLists(folder, [sound])}`,
    ])
      assert.equal((await lookAt(scram(`${ca}&${more}`))).ssl, true, more);
    const bare = join(folder, 'bare');
    mkdirSync(bare);
    copyFileSync(sound, join(bare, 'sound.crl'));
    for (const [more, reason] of [
      [`${ca}&sslcrl=${revoked}`, /certificate revoked/],
      [`${ca}&sslcrldir=${hashedLists(folder, [revoked])}`, /certificate revoked/],
      [`${ca}&sslcrl=${others}`, /unable to get certificate CRL/],
      [`${ca}&sslcrl=${folder}/none.crl`, /none\.crl holds no certificate revocation list \(sslcrl\)/],
      [`${ca}&sslcrl=${tls.own.cert}`, /holds no certificate revocation list/],
      [
        `${ca}&sslcrldir=${bare}`,
        /bare holds no certificate revocation list \(sslcrldir\)\n.*openssl rehash/s,
      ],
      [`${ca}&sslcrldir=${folder}/nowhere`, /nowhere cannot be read \(sslcrldir\)/],
    ] as const)
      await refused(scram(more), 'store_refused', reason);
    // Nothing would be asked of it where nobody is to be believed, and no way around it be gone.
    const soft = `postgres://scram:${secret}@127.0.0.1:${server.port}/${database}?sslcrl=${sound}`;
    await refused(soft, 'store_refused', /root certificate file \S+ does not exist/);
    await refused(`${soft}&sslmode=require`, 'store_refused', /root certificate file \S+ does not exist/);
  });

  it('believes the authorities of the machine, as SSL_CERT_FILE names them, and says where there are none', async () => {
    const store = `postgres://scram@/${database}?${named}&sslrootcert=system`;
    const backUp = (more: string, env: Record<string, string>) =>
      runCommand(folder, ['backup', 'full', '--store', store + more, '--vault', 'system'], {
        env: { PGPASSWORD: PASSWORD, ...env },
      });
    const revoked = `&sslcrl=${revoke(folder, tls.authority, [tls.own])}`;
    const ours = { SSL_CERT_FILE: tls.authority.cert };
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const [good, back, stranger, none] = await Promise.all([
      backUp('', ours),
      backUp(revoked, ours),
      backUp('', {}),
      backUp('', { SSL_CERT_FILE: '/dev/null', SSL_CERT_DIR: empty }),
    ]);
    assert.equal(good.code, 0, good.stderr);
    for (const [ran, reason] of [
      [back, /certificate revoked/],
      [stranger, /self.signed certificate|unable to .*issuer certificate/],
      [none, /knows no certificate authorities.*\nhint: .*SSL_CERT_FILE/],
    ] as const) {
      assert.equal(ran.code, 5, `${reason}: ${ran.stdout}${ran.stderr}`);
      assert.match(ran.stderr, reason);
    }
  });

  it('does not speak TLS at once to a server that waits to be asked, and says so', async () => {
    const direct = `postgres://scram:${secret}@/${database}?${named}&${ca}&sslmode=verify-full&sslnegotiation=direct`;
    await refused(direct, 'store_unreachable', /sslnegotiation=direct\)\n.*older than PostgreSQL 17/);
  });

  it('goes without TLS where that is allowed and the server wants it so', async () => {
    const plain = `postgres://plain:${secret}@127.0.0.1:${server.port}/${database}`;
    const { ssl, name } = await lookAt(`${plain}?application_name=nightly`);
    assert.deepEqual([ssl, name], [false, 'eventcore-test nightly']);
    await refused(`${plain}?sslmode=require`, 'store_refused', /pg_hba.conf/);
    await refused(`${plain}?channel_binding=require`, 'store_refused', /channel_binding=require/);
    const clear = `postgres://clear:${secret}@127.0.0.1:${server.port}/${database}`;
    assert.equal((await lookAt(clear)).role, 'clear');
    await refused(`${clear}?require_auth=scram-sha-256,md5`, 'store_refused', /authentication by "password"/);
  });

  it('takes the first of several hosts that is what is wanted', async () => {
    const of = (hosts: string, more: string): string => `postgres://postgres@${hosts}/${database}?${more}`;
    const [dead, quiet] = [
      `127.0.0.1:${deadPort}`,
      `127.0.0.1:${(silent.address() as { port: number }).port}`,
    ];
    const [first, second] = [`127.0.0.1:${server.port}`, `127.0.0.1:${standby.port}`];
    const portOf = async (hosts: string, more = '', patienceMs?: number): Promise<number | null> =>
      (await lookAt(of(hosts, more), patienceMs)).port;
    assert.equal(await portOf(`${dead},${first}`), server.port);
    assert.equal(await portOf(`${second},${first}`), standby.port);
    assert.equal(await portOf(`${second},${first}`, 'target_session_attrs=read-write'), server.port);
    assert.equal(await portOf(`${first},${second}`, 'target_session_attrs=standby'), standby.port);
    assert.equal(await portOf(`${first},${second}`, 'target_session_attrs=read-only'), standby.port);
    assert.equal(await portOf(`${first},${dead}`, 'target_session_attrs=prefer-standby'), server.port);
    assert.equal(await portOf(`${quiet},${first}`, 'target_session_attrs=primary', PATIENCE_MS), server.port);
    await refused(
      of(`${dead},${second}`, 'target_session_attrs=primary'),
      'store_unreachable',
      /ECONNREFUSED.*is a standby/s,
    );
    // Whoever is refused by one is not led to the next.
    await refused(`postgres://nobody@${first},${dead}/${database}`, 'store_refused', /pg_hba.conf/);
  });

  it('leads all that join a snapshot to the server that has it, in whatever order hosts are tried', async () => {
    const both = `127.0.0.1:${standby.port},127.0.0.1:${server.port}`;
    const address = `postgres://postgres@${both}/${database}?load_balance_hosts=random&layout=eventcore`;
    for (let i = 0; i < 4; i += 1) {
      await withStoreAt(address, async (store) => {
        const snapshot = await store.openSnapshot();
        const others = [1, 2, 3].map(async () => {
          await withStoreAt(address, async (other) => {
            const reader = await other.joinSnapshot(snapshot.token!);
            await reader.close();
          });
        });
        try {
          await Promise.all(others);
        } finally {
          await snapshot.close();
        }
      });
    }
  });

  it('backs up, verifies and restores every way in', async () => {
    const passwords = join(folder, 'pgpass');
    writeFileSync(passwords, `*:${server.port}:*:sock:${PASSWORD.replace(/[:\\]/g, '\\$&')}\n`);
    chmodSync(passwords, 0o600);
    const { cert, key } = tls.client;
    const second = `127.0.0.1:${standby.port},127.0.0.1:${server.port}`;
    const ways: [env: Record<string, string>, address: (database: string) => string][] = [
      [{ PGPASSWORD: PASSWORD }, (db) => `postgres://scram@/${db}?${named}&${ca}&sslmode=verify-full`],
      [
        { PGSSLCERT: cert, PGSSLKEY: key, PGSSLMODE: 'require' },
        (db) => `postgres://certified@127.0.0.1:${server.port}/${db}`,
      ],
      [
        { PGHOST: tls.socketFolder, PGPORT: String(server.port), PGUSER: 'sock', PGPASSFILE: passwords },
        (db) => `postgres:///${db}`,
      ],
      [{ PGTARGETSESSIONATTRS: 'read-write' }, (db) => `postgres://postgres@${second}/${db}`],
    ];
    for (const [i, [env, address]] of ways.entries()) {
      const target = address(await server.createDatabase(`way_${i}`));
      const vault = join(folder, `vault_${i}`);
      await withEnvironment(env, async () => {
        const words = ['--vault', vault, '--store', address(database), '--json'];
        for (const command of [
          ['backup', 'full'],
          ['verify', '--against-store'],
          ['restore', '--to', target],
        ]) {
          const ran = await runHere([...command, ...words]);
          assert.equal(ran.code, 0, `${i} ${command.join(' ')}: ${ran.stderr}${ran.stdout}`);
          assert.ok(!`${ran.stdout}${ran.stderr}`.includes('s3cret'));
        }
      });
      assert.equal(await digestAt(server.address(`way_${i}`)), digest);
    }
  });

  it('follows the change log over TLS', async () => {
    const address = `postgres://scram:${secret}@/${database}?${named}&${ca}&sslmode=verify-full`;
    await withStoreAt(address, async (store) => {
      const feed = await store.openFeed(NEW_LOG);
      try {
        await store.append([{ streamId: 'over-tls', events: [{ type: 'T', data: '{}' }] }]);
        for await (const { events } of feed.read({ batchBytes: 1 << 20, lingerMs: 10, idleMs: 100 })) {
          if (events.count > 0) break;
        }
      } finally {
        await feed.close();
        await store.dropFeed();
      }
    });
  });
});

const isNewHere = versionsHere(['17']).length > 0;

describe('PostgreSQL 17', { skip: whyNoCertificates() ?? (isNewHere ? false : 'it is not here') }, () => {
  it('is spoken to over TLS at once, bound and verified, and backed up and restored so', async () => {
    const { path: folder, remove } = await makeFolder();
    const { server, authority } = await startTlsPostgres(folder, '17');
    try {
      const database = await server.createDatabase();
      const digest = await fillStore(server.address(database), EVENTS);
      await server.exec('CREATE DATABASE back');
      const direct = (name: string, host = 'db.test', root = authority.cert): string =>
        `postgres://scram:${secret}@/${name}?hostaddr=127.0.0.1&host=${host}&port=${server.port}&sslrootcert=${root}` +
        '&sslmode=verify-full&sslnegotiation=direct&channel_binding=require&require_auth=scram-sha-256';
      const vault = ['--vault', join(folder, 'vault')];
      const taken = await runHere(['backup', 'full', '--store', direct(database), ...vault]);
      assert.equal(taken.code, 0, taken.stderr);
      const restored = await runHere(['restore', '--to', direct('back'), ...vault]);
      assert.equal(restored.code, 0, restored.stderr);
      assert.equal(await digestAt(server.address('back')), digest);
      const stranger = makeCertificate(folder, 'stranger').cert;
      for (const address of [direct(database, 'localhost'), direct(database, 'db.test', stranger)]) {
        const { code, stderr } = await runHere(['backup', 'full', '--store', address, ...vault]);
        assert.equal(code, 5, stderr);
        assert.match(stderr, /certificate/);
      }
    } finally {
      await server.stop();
      await remove();
    }
  });
});

async function withEnvironment(env: Record<string, string>, work: () => Promise<void>): Promise<void> {
  const former = { ...process.env };
  Object.assign(process.env, env);
  try {
    await work();
  } finally {
    for (const name of Object.keys(env)) {
      if (former[name] === undefined) delete process.env[name];
      else process.env[name] = former[name];
    }
  }
}
