/** What must hold of every page of the console, those that will be added too. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConsoleStore } from '../../src/console/ports.ts';
import type { Route } from '../../src/console/route.ts';
import { ROUTES } from '../../src/console/routes.ts';
import { ASKABLE_JOBS, type JobName } from '../../src/core/job.ts';
import { HOSTILE_STORE, STORES } from './fixture-stores.ts';
import { makePorts, storeNamed } from './fixtures.ts';
import { renderPath, replyTo } from './render.ts';

const PAGES = ROUTES.filter(({ method }) => method === 'GET');
const everyStore = [...STORES, HOSTILE_STORE];

function addressOf({ path }: Route, store: ConsoleStore): string {
  const id = store.status?.backups[0]?.backupId ?? 'none';
  return path.replace(':store', encodeURIComponent(store.name)).replace(/:\w+/g, id);
}

/** Every page of every store, as viewers and as operators see it. */
async function everyPage(check: (text: string, what: string) => void): Promise<void> {
  for (const route of PAGES) {
    for (const store of everyStore) {
      for (const role of ['viewer', 'operator'] as const) {
        const text = await renderPath(addressOf(route, store), {
          role,
          ports: makePorts({ stores: () => everyStore }),
        });
        check(text, `${route.path} of ${store.name} for a ${role}`);
      }
    }
  }
}

/** Tags with what stands in them; text between them is left out. */
function tagsOf(text: string): string[] {
  return text.match(/<[a-z][^>]*>/g) ?? [];
}

describe('every page of every store', () => {
  it('holds nothing that a strict policy for content forbids', async () => {
    await everyPage((text, what) => {
      for (const tag of tagsOf(text)) {
        assert.doesNotMatch(tag, /\s(style|on[a-z]+)\s*=/, `${what}: ${tag}`);
        assert.doesNotMatch(tag, /(href|src|action)="(?!\/|#|\?)/, `${what}: ${tag}`);
        if (tag.startsWith('<script'))
          assert.match(tag, /^<script src="\/assets\/[a-z]+\.[0-9a-f]{12}\.js"( defer)?>$/);
      }
      assert.doesNotMatch(text, /<style/, what);
    });
  });

  it('names no two elements alike, and what it refers to is there', async () => {
    await everyPage((text, what) => {
      const ids = [...text.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id!);
      assert.deepEqual(ids, [...new Set(ids)], what);
      for (const [, wanted] of text.matchAll(/aria-(?:labelledby|describedby)="([^"]*)"/g)) {
        for (const id of wanted!.split(' ')) assert.ok(ids.includes(id), `${what}: ${id}`);
      }
      for (const tag of tagsOf(text).filter((one) => / data-live(?=[\s>=])/.test(one)))
        assert.match(tag, / id="/, `${what}: ${tag}`);
    });
  });

  it('has one heading of the first level, and leaves out none on the way down', async () => {
    await everyPage((text, what) => {
      const levels = [...text.matchAll(/<h([1-6])[\s>]/g)].map(([, level]) => Number(level));
      assert.equal(levels.filter((level) => level === 1).length, 1, what);
      for (const [i, level] of levels.entries())
        assert.ok(level <= (levels[i - 1] ?? 0) + 1, `${what}: ${levels}`);
    });
  });

  it('shows what comes from outside as text', async () => {
    let shown = 0;
    await everyPage((text, what) => {
      assert.doesNotMatch(text, /<script>|alert\("1"\)/, what);
      if (text.includes('&lt;script&gt;alert(&quot;1&quot;)')) shown += 1;
    });
    assert.ok(shown > PAGES.length, `the hostile store is on ${shown} pages only`);
  });

  it('gives viewers nothing to press that changes anything', async () => {
    for (const route of PAGES) {
      for (const store of STORES) {
        const text = await renderPath(addressOf(route, store), { role: 'viewer' });
        const actions = [...text.matchAll(/method="post" action="([^"]*)"/g)].map(([, action]) => action);
        assert.deepEqual(actions, ['/log-out'], `${route.path} of ${store.name}`);
      }
    }
  });
});

describe('the page of a store', () => {
  it('has a job run for operators, and says what came of it', async () => {
    const asked: string[] = [];
    const ports = makePorts({
      actions: {
        ...makePorts().actions,
        runJob: (store, job, who) => {
          asked.push(`${store} ${job} ${who}`);
          return 'asked';
        },
      },
    });
    const reply = await replyTo('/stores/shop/jobs/drill/run', { ports }, 'POST');
    assert.deepEqual(reply, { kind: 'redirect', to: '/stores/shop?asked=drill&outcome=asked' });
    assert.deepEqual(asked, ['shop drill grace']);
    assert.match(await renderPath('/stores/shop?asked=drill&outcome=asked'), /Recovery drill was asked for/);
    assert.doesNotMatch(await renderPath('/stores/shop?asked=sabotage'), /sabotage/);
  });

  it('says so where there is no such job or no such store', async () => {
    const ports = makePorts({ actions: { ...makePorts().actions, runJob: () => 'unknown' } });
    for (const path of [
      '/stores/shop/jobs/nonsense/run',
      '/stores/shop/jobs/drill/run',
      '/stores/nobody/jobs/drill/run',
    ]) {
      const reply = await replyTo(path, { ports }, 'POST');
      assert.equal(reply.kind === 'page' && reply.status, 404, path);
    }
  });

  it('says what a job that failed said, and offers to run none that removes something', async () => {
    const text = await renderPath('/stores/ledger', { role: 'operator' });
    assert.match(
      text,
      /Vault writes: two writers of one name both won \(see <code>eventcore doctor --large<\/code>\)/,
    );
    assert.match(text, /The log of the daemon that ran it says why/);
    const actions = await renderPath('/stores/shop', { role: 'operator' });
    const offered = [...actions.matchAll(/\/stores\/shop\/jobs\/(\w+)\/run/g)].map(([, job]) => job!);
    assert.ok(STORES[0]!.jobs.some(({ job }) => job === 'prune'));
    assert.deepEqual(
      [...new Set(offered)].filter((job) => !ASKABLE_JOBS.has(job as JobName)),
      [],
    );
    assert.ok(offered.includes('incremental'));
  });

  it('does not call what found something done, and says no more of what waits than when', async () => {
    const [shop] = STORES;
    const jobs = shop!.jobs.map((view) => ({
      ...{ ...view, reason: 'it is not due' },
      last: view.last === null ? null : { ...view.last, exitCode: view.job === 'drill' ? 4 : 0 },
    }));
    const text = await renderPath('/stores/shop', {
      ports: makePorts({ stores: () => [{ ...shop!, jobs }] }),
    });
    assert.match(text, /<th[^>]*>Recovery drill<\/th>(?:(?!<tr)[\s\S])*>found something</);
    assert.doesNotMatch(text, /it is not due/);
  });

  it('is not called protected where damage was found, whatever is promised, and is named among those to look at', async () => {
    const shop = STORES[0]!;
    const calm = { objectives: [], trouble: null, jobs: [] };
    const status = { ...shop.status!, problems: [], monitor: null, verification: null };
    const overview = (changes: Partial<typeof shop.status>) =>
      renderPath('/', {
        ports: makePorts({ stores: () => [{ ...shop, ...calm, status: { ...status, ...changes } }] }),
      });
    assert.match(await overview({}), /The store is protected\./);
    const monitor = { at: status.at, coverage: 1, openCritical: 2, openWarning: 0 };
    const verification = { oldestSeconds: 1, never: 0, units: 9, unsound: 1, proven: [] };
    for (const [changes, said] of [
      [{ monitor }, /Needs somebody[\s\S]*The monitor has 2 critical findings open in the store\./],
      [{ verification }, /Needs somebody[\s\S]*1 part of the vault: unsound when verified last\./],
    ] as const) {
      assert.match(await overview(changes), said);
      assert.match(await overview(changes), /0 of 1 store is protected; 1 needs somebody to look/);
    }
  });

  it('says how far the first backup is while there is nothing to bring back', async () => {
    const text = await renderPath('/stores/billing');
    assert.match(text, /The first full backup runs\./);
    assert.match(text, /412,300 of 2,210,000 events, 30\.1 MB, 20,015\/s, about 1 min left/);
  });

  it('goes on saying what was known when the vault does not answer any more, and since when', async () => {
    const text = await renderPath('/stores/inventory');
    assert.match(text, /this is what was known 2 h ago/);
    assert.match(text, /You can get back the state of <time/);
  });
});

describe('the page of what goes on', () => {
  it('says of a run that this daemon has begun and not ended that it runs, and of others that they did not end', async () => {
    const [shop] = STORES;
    const run = (job: string, startedAt: string) => ({
      ...{
        job,
        startedAt,
        wantedAt: startedAt,
        attempt: 1,
        endedAt: null,
        durationMs: null,
        state: 'not_ended',
      },
      ...{ exitCode: null, code: null, facts: {}, daemon: 'backup-1 4121', reason: 'it is due', missed: 0 },
    });
    const runs = [
      run('incremental', '2026-11-29T14:23:00.000Z'),
      run('incremental', '2026-11-29T14:08:00.000Z'),
      run('drill', '2026-11-29T13:00:00.000Z'),
    ];
    const jobs = shop!.jobs.map((view) =>
      view.job === 'incremental' ? { ...view, runningSinceMs: Date.parse('2026-11-29T14:23:01Z') } : view,
    );
    const ports = makePorts({
      stores: () => [{ ...shop!, jobs }],
      operations: () => [],
      ask: () => Promise.resolve({ state: 'answered', document: { runs }, atMs: 0, exitCode: 0 }),
    });
    const text = await renderPath('/stores/shop/activity', { ports });
    const states = [...text.matchAll(/<span class="badge[^>]*>.*?<\/span>/gs)].map(([badge]) => badge);
    const of = (word: string) => states.filter((badge) => badge.includes(word)).length;
    assert.deepEqual([of('runs'), of('not ended')], [1, 2], states.join('\n'));
  });
});

describe('the page of hundreds of stores', () => {
  const shop = STORES.find(({ name }) => name === 'shop')!;
  const calm = { jobs: [], objectives: [], trouble: null };
  const stores = Array.from({ length: 300 }, (_, i) => ({
    ...{ ...shop, ...calm, name: `store-${String(i).padStart(3, '0')}` },
    ...{ labels: { team: i % 2 === 0 ? 'sales' : 'billing' } },
    ...(i === 217 ? { trouble: 'the vault is away' } : {}),
  }));
  const ports = makePorts({ stores: () => stores });
  const namesIn = (text: string): string[] =>
    [...text.matchAll(/<th scope="row" class=""><a href="\/stores\/([^"]+)"/g)].map(([, name]) => name!);

  it('shows fifty of them, the worst first, and leads to the others without any script', async () => {
    const first = await renderPath('/', { ports });
    const names = namesIn(first);
    assert.deepEqual([names.length, names[0], names[1]], [50, 'store-217', 'store-000']);
    assert.match(first, /300 stores, the worst first, page 1 of 6/);
    assert.match(first, /href="\/\?page=2">Next page/);
    assert.equal(namesIn(await renderPath('/?page=6', { ports })).length, 50);
    assert.deepEqual(
      namesIn(await renderPath('/?page=999', { ports })),
      namesIn(await renderPath('/?page=6', { ports })),
    );
    assert.ok(first.length < 100_000, `${first.length} signs`);
  });

  it('finds them by name, by label and by how they are', async () => {
    assert.deepEqual(namesIn(await renderPath('/?name=RE-21&state=bad', { ports })), ['store-217']);
    assert.match(
      await renderPath('/?name=team%3Dbilling', { ports }),
      /150 stores, the worst first, page 1 of 3/,
    );
    assert.match(
      await renderPath('/?name=team%3Dbilling', { ports }),
      /href="\/\?name=team%3Dbilling&amp;page=2"/,
    );
    const hostile = await renderPath('/?name=%22%3E%3Cscript%3E&page=-1&state=x', { ports });
    assert.match(hostile, /No store is so\./);
    assert.doesNotMatch(hostile, /"><script>/);
  });
});

describe('the picture on the page of restores', () => {
  it('marks the instant that was chosen, where it can be seen', async () => {
    const chosen = async (query: string) =>
      / class="chosen" x1="([\d.]+)%"/.exec(await renderPath(`/stores/shop/restore?range=24h&${query}`))?.[1];
    const noon = Number(await chosen('point=at&at=2026-11-29T02:23:20Z'));
    assert.ok(Math.abs(noon - 50 / 1.02) < 0.1, `${noon}`);
    const [newest] = STORES[0]!.status!.backups.slice(-1);
    assert.ok(Number(await chosen(`point=backup&backup=${newest!.backupId.slice(0, 8)}`)) > noon);
    for (const query of ['', 'point=at&at=2026-11-01T00:00:00Z', 'point=lsn&lsn=0/16B3748'])
      assert.equal(await chosen(query), undefined, query);
  });
});

describe('the pages of backups', () => {
  it('show 400 backups in chains of which the newest stands open', async () => {
    const text = await renderPath('/stores/orders/backups');
    const chains = text.match(/<details class="chain"[^>]*>/g) ?? [];
    assert.deepEqual(
      chains.map((tag) => tag.endsWith(' open>')),
      [true, false, false, false, false],
    );
    assert.equal(text.match(/<span class="knot/g)?.length, storeNamed('orders').status!.backups.length);
  });

  it('say where copies are, what is held, what is frozen, what is no backup, and who can decrypt', async () => {
    const shop = await renderPath('/stores/shop/backups');
    for (const word of [/us-west-2, vault-archive/, /nowhere yet/, /audit 2026/, /age1qyqszq/])
      assert.match(shop, word);
    const ledger = await renderPath('/stores/ledger/backups');
    for (const word of [
      /The vault is frozen since/,
      /cannot be trusted/,
      /is no backup: 2 files/,
      /1 unsound/,
    ])
      assert.match(ledger, word);
    assert.match(await renderPath('/stores/orders/backups'), /not sealed/);
  });

  it('say of one backup what it brings back, and how it is read without this program', async () => {
    const { backupId } = storeNamed('shop').status!.backups[2]!;
    const text = await renderPath(`/stores/shop/backups/${backupId}`);
    assert.match(
      text,
      /It adds [\d,]+ events in [\d,]+ streams and, with what it builds on, brings back the state of/,
    );
    assert.match(text, /3 backups bring it back, this one included/);
    assert.ok(text.includes(`href="/stores/shop/restore?backup=${backupId}"`));
    assert.ok(text.includes(`node rescue/rescue.mjs VAULT --backup ${backupId} --identity KEY-FILE`));
  });

  it('begin to verify one, and ask nothing for what is no id', async () => {
    const { backupId } = storeNamed('shop').status!.backups[2]!;
    const reply = await replyTo(`/stores/shop/backups/${backupId}/verify`, {}, 'POST');
    assert.deepEqual(reply, { kind: 'redirect', to: '/operations/operation-1' });
    const ports = makePorts({ answer: () => assert.fail('a command was asked') });
    const nothing = await replyTo('/stores/shop/backups/--help', { ports });
    assert.equal(nothing.kind === 'page' && nothing.status, 404);
  });
});
