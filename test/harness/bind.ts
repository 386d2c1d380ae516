import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

/** BIND 9 that serves one zone, on a port of its own, gone when the test process is. */
export interface TestBind {
  readonly host: string;
  readonly port: number;
  /** Without the last dot. */
  readonly zone: string;
  /** Of each grant, by the key's name: the text of a key file, as tsig-keygen writes it. */
  readonly keys: Readonly<Record<string, string>>;
  /** SIGKILL, nothing is written down before it. */
  kill(): Promise<void>;
  /** On the same port, with what it had. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface BindGrant {
  readonly key: string;
  /** Full names that the key may update, without the last dot. */
  readonly names: readonly string[];
  readonly algorithm?: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';
}

export interface BindOptions {
  readonly zone?: string;
  /** By default `dr-key` may update `db.` of the zone. */
  readonly grants?: readonly BindGrant[];
  /** Lines of a zone file: `db 5 IN CNAME east.eventcore.test.` */
  readonly records?: readonly string[];
  readonly address?: string;
  readonly port?: number;
  /** What it is started through, such as `ip netns exec NAME`. */
  readonly through?: readonly string[];
}

const NAMED = ['/usr/sbin/named', '/usr/bin/named', '/usr/local/sbin/named'];
const KEYGEN = ['/usr/sbin/tsig-keygen', '/usr/bin/tsig-keygen', '/usr/local/sbin/tsig-keygen'];
const START_ATTEMPTS = 3;
const START_TIMEOUT_MS = 15_000;
const POLL_MS = 20;
const STOP_POLLS = 250;

/**
 * Why BIND cannot be started here, with the way out; false where it can. For `skip` of a test, and said aloud, so that nobody
 * takes a run without it for a whole one.
 */
export function whyNoBind(): string | false {
  if (findProgram(NAMED) !== null && findProgram(KEYGEN) !== null) return false;
  const reason = 'no BIND 9 here; on Debian, as root: node scripts/install-test-servers.mjs';
  console.error(`SKIPPED: ${reason}`);
  return reason;
}

export async function startBind(options: BindOptions = {}): Promise<TestBind> {
  for (let attempt = 1; ; attempt += 1) {
    const root = mkdtempSync(path.join(tmpdir(), 'eventcore-bind-'));
    const janitor = startJanitor(root);
    try {
      return await startIn(root, options, janitor);
    } catch (error) {
      const words = lastWords(root);
      await end(janitor);
      // Another process may have taken the port since it was found free.
      if (attempt === START_ATTEMPTS) throw new Error(`BIND did not start: ${words}`, { cause: error });
    }
  }
}

async function startIn(root: string, options: BindOptions, janitor: ChildProcess): Promise<TestBind> {
  const { zone = 'eventcore.test', address = '127.0.0.1', through = [] } = options;
  const port = options.port ?? (await freePort());
  const grants = options.grants ?? [{ key: 'dr-key', names: [`db.${zone}`] }];
  const keys = Object.fromEntries(grants.map((grant) => [grant.key, makeKey(grant)]));
  writeZone(root, zone, options.records ?? []);
  writeFileSync(path.join(root, 'named.conf'), configOf(root, { zone, address, port, grants, keys }), {
    mode: 0o600,
  });
  // The system may confine the program at its usual place to the system's own folders.
  copyFileSync(findProgram(NAMED)!, path.join(root, 'named'));
  const start = (): Promise<void> => startNamed(root, { address, port, through });
  await start();
  return {
    ...{ host: address, port, zone, keys },
    kill: () => killNamed(root),
    restart: async () => {
      await killNamed(root);
      await start();
    },
    stop: () => end(janitor),
  };
}

function makeKey({ key, algorithm = 'hmac-sha256' }: BindGrant): string {
  return execFileSync(findProgram(KEYGEN)!, ['-a', algorithm, key], { encoding: 'utf8' });
}

function writeZone(root: string, zone: string, records: readonly string[]): void {
  const head = [
    `$ORIGIN ${zone}.`,
    '$TTL 5',
    `@ IN SOA ns.${zone}. root.${zone}. 1 3600 600 86400 5`,
    `@ IN NS ns.${zone}.`,
    'ns IN A 127.0.0.1',
  ];
  writeFileSync(path.join(root, 'zone.db'), `${[...head, ...records].join('\n')}\n`);
}

interface Settings {
  readonly zone: string;
  readonly address: string;
  readonly port: number;
  readonly grants: readonly BindGrant[];
  readonly keys: Readonly<Record<string, string>>;
}

function configOf(root: string, { zone, address, port, grants, keys }: Settings): string {
  const policy = grants.flatMap(({ key, names }) =>
    names.map((name) => `grant ${key} name ${name}. A AAAA CNAME;`),
  );
  return `${Object.values(keys).join('')}
options {
  directory "${root}"; pid-file "${root}/named.pid"; session-keyfile "${root}/session.key";
  managed-keys-directory "${root}"; listen-on port ${port} { ${address}; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-transfer { none; };
};
controls { };
zone "${zone}" { type primary; file "${root}/zone.db"; update-policy { ${policy.join(' ')} }; };
`;
}

async function startNamed(
  root: string,
  { address, port, through }: { address: string; port: number; through: readonly string[] },
): Promise<void> {
  const words = [...through, path.join(root, 'named'), '-f', '-4', '-n', '1'];
  const log = path.join(root, 'log');
  const script = 'echo $$ >"$1"; log="$2"; shift 2; exec "$@" 2>>"$log"';
  const parameters = [path.join(root, 'started.pid'), log, ...words, '-L', log];
  const child = spawn('sh', ['-c', script, 'named', ...parameters, '-c', path.join(root, 'named.conf')], {
    ...{ cwd: '/', stdio: 'ignore' },
  });
  child.unref();
  const endMs = Date.now() + START_TIMEOUT_MS;
  while (!(await listens(address, port, through))) {
    if (Date.now() > endMs || child.exitCode !== null) throw new Error(`no answer on port ${port}`);
    await sleep(POLL_MS);
  }
}

/** Behind a program it may be in another network: then it is asked from there. */
function listens(host: string, port: number, through: readonly string[]): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  if (through.length > 0) {
    const [program, ...words] = [...through, 'bash', '-c', `</dev/tcp/${host}/${port}`];
    const child = spawn(program!, words, { stdio: 'ignore' });
    child.on('error', () => resolve(false)).on('close', (code) => resolve(code === 0));
    return promise;
  }
  const socket = connect({ host, port });
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

async function killNamed(root: string): Promise<void> {
  const pid = Number(readFileSync(path.join(root, 'started.pid'), 'utf8'));
  for (let i = 0; i < STOP_POLLS; i += 1) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      return;
    }
    await sleep(POLL_MS);
  }
  throw new Error(`process ${pid} does not end`);
}

/** Ends what was started in the folder and removes it, once this process closes the pipe or is gone. */
function startJanitor(root: string): ChildProcess {
  const script = `cat >/dev/null; xargs -r kill -9 <"$1/started.pid" 2>/dev/null
    for try in 1 2 3 4 5; do rm -rf "$1" && break; sleep 0.1; done`;
  const janitor = spawn('sh', ['-c', script, 'janitor', root], {
    ...{ cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  });
  janitor.unref();
  (janitor.stdin as Socket).unref();
  return janitor;
}

async function end(janitor: ChildProcess): Promise<void> {
  janitor.stdin?.destroy();
  for (let i = 0; i < STOP_POLLS && janitor.exitCode === null; i += 1) await sleep(POLL_MS);
}

function findProgram(places: readonly string[]): string | null {
  return places.find((file) => existsSync(file)) ?? null;
}

/** For the error message. */
function lastWords(root: string): string {
  const log = path.join(root, 'log');
  return existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : 'it said nothing';
}
