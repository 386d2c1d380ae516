import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { settle } from '../acknowledgements.ts';
import { KEY_FILE } from '../config.ts';
import { type Drill, PATIENCE_MS } from '../drill.ts';
import type { Address } from '../relay.ts';
import { measure, type Row } from '../row.ts';
import { acceptances, dr, makePlan, showRun } from '../run.ts';
import { eventIds, makeWorld, type World } from '../world.ts';

export const PUBLIC_NAME: Drill = {
  name: 'D11',
  does: 'the name is to be switched with a wrong key; a change is replayed; somebody else changes it meanwhile',
  run: async ({ world: options }) => {
    const world = await makeWorld(options);
    try {
      return await switchNames(world);
    } finally {
      await world.stop();
    }
  },
};

async function switchNames(world: World): Promise<Row> {
  const { east, west } = world.servers;
  const writers = world.write({ count: 4, pauseMs: 5 });
  await writers.waitForAcks(100, PATIENCE_MS);
  const key = writeWrongKey(world);
  world.configure({ key });
  const { plan } = await makePlan(world, ['--trigger', 'manual_trigger', '--region', 'west']);
  const refused = await world.run(['dr', 'execute', '--approve', plan.planId, ...acceptances(plan)]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /switch_name failed/);
  assert.equal(await world.resolve(), east.address.host);

  const recorder = await startRecorder({ host: world.bind.host, port: world.bind.port });
  world.configure({ nameServer: recorder.at });
  await dr(world, ['resume', plan.planId], [0, 10]);
  assert.equal(await world.resolve(), west.address.host);
  await writers.waitForServer(west.address.host, PATIENCE_MS);
  await writers.stop();
  const { lostIds, ...account } = settle(writers.log.all, await eventIds(west));
  assert.deepEqual(lostIds, []);

  const update = recorder.sent.findLast((message) => opcodeOf(message) === UPDATE);
  assert.ok(update !== undefined, 'no update was recorded');
  const rcode = await ask(recorder.to, update);
  assert.notEqual(rcode, 0);
  assert.equal(await world.resolve(), west.address.host);
  recorder.close();
  world.configure({});
  const run = await showRun(world, plan.planId);
  const lostUpdate = await changeMeanwhile(world);
  return {
    ...{ ...measure(world, run, writers), assessMs: null, account },
    found: `wrong key: exit code ${refused.code}, gone on with by the right one; replayed: answer ${rcode} of BIND; changed by somebody else meanwhile: exit code ${lostUpdate}, their value stays`,
  };
}

/** Somebody else points the name to a third place while the run is under way: when it asks for the schema to be brought up to date. */
async function changeMeanwhile(world: World): Promise<number | null> {
  const { west } = world.servers;
  const { host, port, zone } = world.bind;
  const script = join(import.meta.dirname, '../change-name.ts');
  const change = [`${host}:${port}`, zone, join(world.folder, KEY_FILE), west.address.host, ELSEWHERE];
  world.configure({ migrate: [process.execPath, script, ...change] });
  const { plan } = await makePlan(world, ['--trigger', 'manual_trigger', '--region', 'south']);
  const ran = await world.run(['dr', 'execute', '--approve', plan.planId, ...acceptances(plan)]);
  assert.notEqual(ran.code, 0);
  assert.match(ran.stderr, /switch_name failed/);
  assert.equal(await world.resolve(), ELSEWHERE);
  return ran.code;
}

/** The right name of the key, and another secret. */
function writeWrongKey({ folder, bind }: World): string {
  const file = join(folder, 'wrong.key');
  const secret = crypto.randomBytes(32).toString('base64');
  writeFileSync(file, bind.keys['dr-key']!.replace(/secret "[^"]*"/, `secret "${secret}"`), { mode: 0o600 });
  return file;
}

const UPDATE = 5;
const ELSEWHERE = '192.0.2.7';

/** Of a message of DNS. */
function opcodeOf(message: Buffer): number {
  return (message[2]! >> 3) & 15;
}

interface Recorder {
  readonly at: Address;
  readonly to: Address;
  /** Messages to the server, without their lengths. */
  readonly sent: Buffer[];
  close(): void;
}

/** Stands before a server of names, and remembers what it was sent over TCP. */
async function startRecorder(to: Address): Promise<Recorder> {
  const sent: Buffer[] = [];
  const server = createServer((near) => {
    const far = connect(to);
    const parts: Buffer[] = [];
    near.on('data', (part) => parts.push(part));
    near.on('close', () => {
      const bytes = Buffer.concat(parts);
      if (bytes.length > 2) sent.push(bytes.subarray(2, 2 + bytes.readUInt16BE(0)));
      far.destroy();
    });
    far.on('error', () => near.destroy());
    near.on('error', () => far.destroy());
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { at: { host: '127.0.0.1', port }, to, sent, close: () => void server.close() };
}

/** Sends a message as it is. Gives the code of the answer. */
async function ask(to: Address, message: Buffer): Promise<number> {
  const socket = connect(to);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  socket.write(Buffer.concat([length, message]));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer[5]! & 15;
}
