import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { z } from 'zod';
import { restorePlan, restoreReport, streamsPlan } from '../../src/console/documents/restore.ts';
import { storeDiff, streamHistory, streamList } from '../../src/console/documents/streams.ts';
import type {
  Answer,
  ConsolePorts,
  ConsoleStore,
  Operation,
  RestoreRequest,
} from '../../src/console/ports.ts';
import type { Reply } from '../../src/console/route.ts';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { askHere, statusOf, storeOf } from './asked-visit.ts';
import { makePorts, type VisitParts } from './fixtures.ts';
import { makeHostile } from './hostile-document.ts';
import { replyTo } from './render.ts';

/** Pages over what real commands answer about a small store: two backups, a log behind them, and a name that would like to be HTML. */

const HOSTILE = `</code><script>alert("it's")</script>\u202e$(id)`;
const CONFIG = 'store.yaml';

let remove: () => Promise<void>;
let between: string;
const ids: string[] = [];
const eventIds: string[] = [];

before(async () => {
  const folder = await makeFolder();
  remove = folder.remove;
  process.chdir(folder.path);
  await writeFile(CONFIG, 'store: sqlite:./events.db\nvault: file:./vault\n');
  await withStoreAt('sqlite:events.db', (store) => store.initialise());
  await append('order-1', 3);
  await append(HOSTILE, 2);
  await backUp('full');
  await command('archive', '--once');
  await append('order-1', 2);
  await backUp('incremental');
  await command('archive', '--once');
  await new Promise((resolve) => setTimeout(resolve, 20));
  between = new Date().toISOString();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await append('order-2', 4);
  await command('archive', '--once');
});
after(() => {
  process.chdir('/');
  return remove();
});

async function append(streamId: string, count: number): Promise<void> {
  await withStoreAt('sqlite:events.db', async (store) => {
    const events = Array.from({ length: count }, () => ({ type: 'Added', data: '{"secret":"payload"}' }));
    await store.append([{ streamId, events }]);
    eventIds.push((await store.readStream(streamId)).at(-1)!.id);
  });
}

async function command(...words: string[]): Promise<string> {
  const ran = await runHere([...words, '--config', CONFIG, '--json']);
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stdout;
}

async function backUp(kind: string): Promise<void> {
  ids.push(JSON.parse(await command('backup', kind)).backupId);
}

const SHOP: ConsoleStore = storeOf({
  status: statusOf({ newestPoint: '2026-11-29T12:00:00.000Z' }),
  restoreTargets: [{ name: 'new', kind: 'sqlite', place: '/restored' }],
});

function portsWith(changes: Partial<ConsolePorts> = {}): ConsolePorts {
  return makePorts({ stores: () => [SHOP], ask: askHere(CONFIG), now: Date.now, ...changes });
}

async function textOf(reply: Reply): Promise<string> {
  assert.equal(reply.kind, 'page');
  return reply.kind === 'page' ? String(await reply.body) : '';
}

async function page(
  path: string,
  queries: Record<string, string> = {},
  parts: VisitParts = {},
): Promise<string> {
  const text = await textOf(await replyTo(path, { ports: portsWith(), queries, ...parts }));
  assert.doesNotMatch(text, /<script|"secret"|&quot;secret|does not know|undefined|\[object|NaN/);
  return text;
}

/** Words of the page, without what tells them apart. */
function plain(text: string): string {
  return text
    .replace(/<[^>]*>/g, '')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/\s+/g, ' ');
}

const RESTORE = '/stores/shop/restore';

describe('the page of a restore', () => {
  it('asks nothing before a point was chosen', async () => {
    const text = await page(
      RESTORE,
      {},
      {
        ports: portsWith({ ask: () => assert.fail('a command was asked') }),
      },
    );
    assert.match(text, /name="at" value="2026-11-29T12:00:00Z"/);
    assert.match(text, /id="point-at" value="at" checked/);
    assert.match(text, /just before an event/i);
  });

  it('shows what each point takes, as the dry run says it', async () => {
    const newest = plain(await page(RESTORE, { point: 'newest' }));
    assert.match(newest, /It brings back \d+ events in \d streams/);
    assert.match(newest, /eventcore restore --to STORE --dry-run --config/);
    const instant = plain(await page(RESTORE, { point: 'at', at: between }));
    assert.match(instant, /It brings back 7 events in 2 streams/);
    assert.match(instant, /4 events of the log lie behind this point/);
    assert.match(instant, /Cut ?just before the transaction that commits at/);
    assert.match(instant, new RegExp(`--at ${between.replace(/\.?0*Z/, '')}`));
    const alone = plain(await page(RESTORE, { point: 'backup', backup: ids[0]! }));
    assert.match(alone, /It brings back 5 events in 2 streams/);
    assert.match(alone, /The newest point has .*\d+ events more than this one/);
    const before = plain(await page(RESTORE, { point: 'before-event', 'before-event': eventIds.at(-1)! }));
    assert.match(before, /4 events of the log lie behind/);
  });

  it('shows single streams, whatever they are called', async () => {
    const text = await page(RESTORE, { point: 'newest', streams: `order-1\n${HOSTILE}` });
    assert.match(plain(text), /It brings back 7 events in 2 streams/);
    assert.match(text, /&lt;script&gt;/);
    assert.match(plain(text), /--stream order-1 --stream '/);
    assert.match(plain(text), /--merge --dry-run/);
  });

  it('says why a point cannot be reached, and what can be', async () => {
    const early = await page(RESTORE, { point: 'at', at: '2001-01-01T00:00:00Z' });
    assert.match(plain(early), /This point cannot be brought back: no restore point for 2001/);
    assert.doesNotMatch(early, /<form class="action"|<pre/);
    assert.match(early, /point=at&amp;at=20\d\d-[^"]+#plan">The nearest after it: 20/);
    const refusals: [Record<string, string>, RegExp][] = [
      [{ point: 'backup', backup: 'ffffffff' }, /no backup|All backups/],
      [
        { point: 'before-event', 'before-event': '00000000-0000-7000-8000-000000000000' },
        /cannot be brought back/,
      ],
      [{ point: 'lsn', lsn: '999999' }, /cannot be brought back/],
      [{ point: 'newest', streams: 'order-' }, /no stream "order-".*Look for streams/],
    ];
    for (const [queries, said] of refusals) assert.match(plain(await page(RESTORE, queries)), said);
  });

  it('says which field is wrong, and gives back what was sent', async () => {
    for (const [queries, said] of [
      [{ point: 'at', at: '"><script>' }, /value="&quot;&gt;&lt;script&gt;"[^>]*aria-invalid="true"/],
      [{ point: 'backup', backup: '-x' }, /It must be the id of a backup/],
      [{ point: 'nonsense' }, /Choose one of the points/],
      [{ point: 'newest', streams: 'x'.repeat(1001) }, /A name has no more than/],
    ] as const) {
      const reply = await replyTo(RESTORE, { ports: portsWith(), queries });
      assert.equal(reply.kind === 'page' && reply.status, 400);
      const text = await textOf(reply);
      assert.match(text, said);
      assert.doesNotMatch(text, /<script/);
    }
  });

  it('shows what stands where an answer would, whatever there is in its place', async () => {
    const answers: [Answer, RegExp][] = [
      [{ state: 'asking', sinceMs: 0 }, /is being asked/],
      [{ state: 'busy' }, /Too many questions/],
      [
        {
          state: 'failed',
          code: 'vault_unreachable',
          message: 'no <b>way</b>',
          hint: 'up?',
          facts: {},
          atMs: 0,
        },
        /no &lt;b&gt;way/,
      ],
      [{ state: 'failed', code: null, message: 'killed', hint: null, facts: {}, atMs: 0 }, /killed/],
      [{ state: 'answered', document: [1], atMs: 0, exitCode: 0 }, /does not know/],
    ];
    for (const [answer, said] of answers) {
      const ports = portsWith({ ask: async () => answer });
      for (const queries of [{ point: 'newest' }, { point: 'newest', streams: 'a' }]) {
        assert.match(await textOf(await replyTo(RESTORE, { ports, queries })), said);
      }
      for (const queries of [{ stream: 'a' }, { prefix: 'a' }, { diff: '1' }]) {
        assert.match(await textOf(await replyTo('/stores/shop/streams', { ports, queries })), said);
      }
    }
  });
});

describe('a restore from the console', () => {
  const sent: RestoreRequest[] = [];
  const begin = (fields: Record<string, string>, state: 'started' | 'refused' = 'started') => {
    const restore: ConsolePorts['actions']['restore'] = (request) => {
      sent.push(request);
      return state === 'started'
        ? { state, operationId: 'one two' }
        : { state, message: 'two restores run already', hint: 'wait for one of them' };
    };
    const ports = portsWith();
    return replyTo(RESTORE, { ports: { ...ports, actions: { ...ports.actions, restore } }, fields }, 'POST');
  };

  it('begins as it was asked for, and leads to where it is watched', async () => {
    sent.length = 0;
    const reply = await begin({ point: 'at', at: '2026-11-23 04:05:06', streams: 'a\r\nb', target: 'new' });
    assert.deepEqual(reply, { kind: 'redirect', to: '/operations/one%20two' });
    await begin({ point: 'newest', target: 'new' });
    assert.deepEqual(sent, [
      {
        store: 'shop',
        point: { flag: 'at', value: '2026-11-23T04:05:06Z' },
        streams: ['a', 'b'],
        target: 'new',
      },
      { store: 'shop', point: null, streams: [], target: 'new' },
    ]);
  });

  it('is refused without a point, without a place that is allowed, and where the daemon refuses', async () => {
    sent.length = 0;
    assert.match(await textOf(await begin({ target: 'new' })), /no point was chosen/);
    assert.match(await textOf(await begin({ point: 'at', at: 'x', target: 'new' })), /no point was chosen/);
    assert.match(await textOf(await begin({ point: 'newest' })), /no place for restores/);
    assert.match(
      await textOf(await begin({ point: 'newest', target: '/etc/passwd' })),
      /no place for restores/,
    );
    assert.deepEqual(sent, []);
    const refused = await begin({ point: 'newest', target: 'new' }, 'refused');
    assert.match(plain(await textOf(refused)), /It did not begin: two restores run already\. Wait for one/);
    assert.equal(refused.kind === 'page' && refused.status, 400);
  });

  it('is a button for operators, where there is a place; for others it is a command', async () => {
    const queries = { point: 'newest' };
    assert.match(await page(RESTORE, queries), /<form class="action" method="post"/);
    const viewer = await page(RESTORE, queries, { role: 'viewer' });
    assert.doesNotMatch(viewer, /method="post"/);
    const nowhere = portsWith({ stores: () => [{ ...SHOP, restoreTargets: [] }] });
    const text = await page(RESTORE, queries, { ports: nowhere });
    assert.doesNotMatch(text, /method="post"/);
    assert.match(text, /eventcore restore --to STORE --config/);
  });
});

describe('the page of streams', () => {
  const STREAMS = '/stores/shop/streams';

  it('shows one stream over the backups, and where the store stands', async () => {
    const text = plain(await page(STREAMS, { stream: 'order-1' }));
    assert.match(text, /The store has what the newest backup has/);
    assert.match(text, /5 events, versions 1–5/);
    assert.match(text, new RegExp(`${ids[1]!.slice(0, 8)} incremental.*${ids[0]!.slice(0, 8)} full`));
    const fresh = plain(await page(STREAMS, { stream: 'order-2' }));
    assert.match(fresh, /The store has it; no backup has it yet/);
  });

  it('says what is wrong with a stream, and how one sees which events it is', async () => {
    const document = JSON.parse(await command('show', '--stream', 'order-1'));
    for (const [standing, said] of [
      ['gone', /The store has it no more/],
      ['behind', /ends before the newest backup/],
      ['differs', /other events than the newest backup/],
    ] as const) {
      const onlyInBackups = { fromVersion: 4, toVersion: 5, backupId: ids[1] };
      const told = { ...document, standing, onlyInBackups };
      const ports = portsWith({
        ask: async () => ({ state: 'answered', document: told, atMs: 0, exitCode: 0 }),
      });
      const text = plain(await page(STREAMS, { stream: 'order-1' }, { ports }));
      assert.match(text, said);
      assert.match(text, /Only backups have versions 4 to 5/);
      assert.match(text, /eventcore diff --stream order-1 --events/);
    }
  });

  it('shows a hostile name as text, and the commands of it for a shell', async () => {
    const text = await page(STREAMS, { stream: HOSTILE });
    assert.match(text, /&lt;\/code&gt;&lt;script&gt;/);
    assert.match(plain(text), /--stream '/);
    assert.doesNotMatch(text.match(/<pre[\s\S]*?<\/pre>/)![0], /\u202e/);
  });

  it('lists streams by how their names begin, and finds no other', async () => {
    const text = plain(await page(STREAMS, { prefix: 'order' }));
    assert.match(text, /order-1 ?5 ?1–5/);
    assert.doesNotMatch(text, /alert/);
    assert.match(plain(await page(STREAMS, { prefix: 'zzz' })), /No stream of the newest backup begins so/);
    assert.match(plain(await page(STREAMS, { prefix: '' })), /The first streams/);
    const missing = await page(STREAMS, { stream: 'order-11' });
    assert.match(plain(missing), /It could not be read: .*"order-11"/);
    assert.match(missing, /\?prefix=orde"/);
  });

  it('compares only where one asks for it', async () => {
    const idle = await page(STREAMS, {}, { ports: portsWith({ ask: () => assert.fail('asked') }) });
    assert.match(plain(idle), /It reads much/);
    const text = plain(await page(STREAMS, { diff: '1' }));
    assert.match(text, /The store has all that it had, and went on/);
    assert.match(text, /order-2 ?newer ?4 ?1–4/);
  });

  it('refuses names that nothing can have', async () => {
    for (const queries of [{ stream: 'a\0' }, { prefix: 'x'.repeat(1001) }]) {
      const reply = await replyTo(STREAMS, { ports: portsWith(), queries });
      assert.equal(reply.kind === 'page' && reply.status, 400);
    }
  });
});

describe('what documents say of names', () => {
  const cases: [z.ZodType, readonly string[], string, Record<string, string>][] = [
    [restorePlan, ['restore', '--dry-run'], RESTORE, { point: 'newest' }],
    [
      streamsPlan,
      ['restore', '--dry-run', '--stream', 'order-1'],
      RESTORE,
      { point: 'newest', streams: 'a' },
    ],
    [streamHistory, ['show', '--stream', 'order-1'], '/stores/shop/streams', { stream: 'a' }],
    [
      streamList,
      ['show', '--streams', '--prefix', '', '--limit', '9'],
      '/stores/shop/streams',
      { prefix: '' },
    ],
    [storeDiff, ['diff'], '/stores/shop/streams', { diff: '1' }],
  ];

  it('is text in each place of a page, whatever it is', async () => {
    for (const [schema, words, path, queries] of cases) {
      const document = makeHostile(JSON.parse(await command(...words)), schema);
      const ports = portsWith({ ask: async () => ({ state: 'answered', document, atMs: 0, exitCode: 0 }) });
      const text = await page(path, queries, { ports });
      assert.match(text, /&lt;script&gt;alert/, words.join(' '));
    }
  });

  it('is text in what came of an operation', async () => {
    const report = JSON.parse(await command('restore', '--to', 'sqlite:./fourth.db', '--at', between));
    const document = makeHostile(report, restoreReport);
    const ports = portsWith({ operations: () => [{ ...OPERATION, document }] });
    assert.match(await page('/operations/op-1', {}, { ports }), /&lt;script&gt;alert/);
  });
});

const OPERATION: Operation = {
  ...{ id: 'op-1', store: 'shop', who: 'grace', command: 'eventcore restore', title: 'restore all <b>' },
  ...{ startedMs: 0, endedMs: 1000, state: 'succeeded', progress: null, document: null, trouble: null },
};

describe('the page of an operation', () => {
  const shown = (operation: Partial<Operation>, parts: VisitParts = {}) =>
    page(
      '/operations/op-1',
      {},
      { ports: portsWith({ operations: () => [{ ...OPERATION, ...operation }] }), ...parts },
    );

  it('says what a real restore brought back, and how to open it', async () => {
    const document = JSON.parse(await command('restore', '--to', 'sqlite:./restored.db', '--at', between));
    const text = plain(await shown({ document }));
    assert.match(text, /7 events in 2 streams were restored, and held against/);
    assert.match(text, /Epoch record.*lists 4 events behind this point/);
    assert.match(text, /eventcore diff --store sqlite:.*restored\.db --config/);
    const streams = JSON.parse(await command('restore', '--to', 'sqlite:./one.db', '--stream', 'order-1'));
    assert.match(plain(await shown({ document: streams })), /5 events in 1 stream were restored/);
    const verified = JSON.parse(await command('verify', ids[0]!));
    assert.match(plain(await shown({ document: verified })), /It is sound/);
  });

  it('names the consumers that lie ahead, and what to do about them', async () => {
    const document = JSON.parse(await command('restore', '--to', 'sqlite:./third.db', '--backup', ids[0]!));
    const checkpoints = [
      { name: 'mailer<i>', position: eventIds.at(-1), ahead: true, action: 'kept', restoredPosition: null },
      { name: 'other', position: null, ahead: false, action: 'kept', restoredPosition: null },
    ];
    const text = await shown({ document: { ...document, checkpoints } });
    assert.match(text, /mailer&lt;i&gt;/);
    assert.match(
      plain(text),
      /1 consumer of 2 had seen events that are not in this store.*--checkpoints clamp/,
    );
  });

  it('says how far it is, that it failed or was cancelled, and that it is not known', async () => {
    const running = { state: 'runs', endedMs: null } as const;
    assert.match(await shown(running), /<progress/);
    assert.match(await shown(running), /\/operations\/op-1\/cancel/);
    assert.doesNotMatch(await shown(running, { role: 'viewer' }), /cancel/);
    const failed = await shown({ state: 'failed', trouble: 'the disk <full>' });
    assert.match(failed, /The disk &lt;full&gt;\./);
    assert.match(plain(failed), /Nothing was published/);
    assert.match(plain(await shown({ state: 'cancelled' })), /cancelled.*Nothing was published/);
    const unknown = await replyTo('/operations/other', { ports: portsWith() });
    assert.equal(unknown.kind === 'page' && unknown.status, 404);
    assert.match(await textOf(unknown), /started anew/);
  });

  it('is cancelled by its id, and says whether that came in time', async () => {
    for (const [outcome, said] of [
      ['cancelled', 'cancelled'],
      ['unknown', 'over'],
    ] as const) {
      const base = portsWith({ operations: () => [OPERATION] });
      const ports = { ...base, actions: { ...base.actions, cancel: () => outcome } };
      const reply = await replyTo('/operations/op-1/cancel', { ports }, 'POST');
      assert.deepEqual(reply, { kind: 'redirect', to: `/operations/op-1?cancel=${said}` });
    }
    const unknown = await replyTo('/operations/other/cancel', { ports: portsWith() }, 'POST');
    assert.equal(unknown.kind === 'page' && unknown.status, 404);
  });
});
