import { html } from 'hono/html';
import type { StatusProblem, StatusRegion } from '../../core/status.ts';
import { formatCount } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import { storeLink } from '../links.ts';
import { notice } from '../parts/answer.ts';
import { badge } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { jobNow } from '../parts/job-now.ts';
import { promiseOf } from '../parts/promise.ts';
import { inCode, stacked, word } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { instantAgo, span } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { disasterPage } from './disaster.ts';

/** Where copies are, what each of them brings back alone, and what is done when the place of the store is gone. */
export const regionRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/stores/:store/regions',
    role: 'viewer',
    handle: (visit) =>
      storePage(visit, (store) => ({
        ...{ title: 'Regions', section: 'regions' },
        body: html`${regionSection(visit, store)}${disasterLink(store)}`,
      })),
  },
  {
    method: 'GET',
    path: '/stores/:store/regions/disaster',
    role: 'viewer',
    handle: (visit) => storePage(visit, (store) => disasterPage(visit, store)),
  },
];

function regionSection(visit: Visit, store: ConsoleStore): Html {
  const { status } = store;
  if (status === null)
    return stacked('Copies', notice('faint', 'What the regions hold is not known yet.'), {
      id: 'copies',
      live: true,
    });
  const body =
    status.regions.length === 0
      ? noRegions(store)
      : html`${regionTable(visit, store, status.regions)}${status.problems.filter(({ of }) => of.startsWith('region')).map(problem)}
<h3>Bring them up to date</h3>${jobNow(visit, store, { job: 'sync', button: 'Sync now', words: ['sync'] })}
<p class="muted">What would be copied, without copying it:</p>${commandBox(commandLine(store, 'sync', '--dry-run'))}`;
  return stacked('Copies', body, { id: 'copies', live: true });
}

function noRegions(store: ConsoleStore): Html {
  return html`${notice('warning', html`All copies are in one place: the configuration names no regions. When <code>${store.vault}</code> is gone, nothing comes back.`)}
<p>Name the vault's own region as <code>primary</code>, another one as <code>replicas</code>, and if old chains should be kept for long, an <code>archive</code> (docs/policy.md, docs/regions.md):</p>
<pre class="config" tabindex="0" role="region" aria-label="Example of regions">primary: { region: here, storage: ${store.vault} }
replicas:
  - { region: elsewhere, storage: "s3://other-bucket?region=…", sync_schedule: "0 1 * * *" }</pre>`;
}

const KINDS: Readonly<Record<StatusRegion['kind'], string>> = {
  primary: 'primary',
  replica: 'replica',
  archive: 'archive tier',
};

function regionTable(visit: Visit, store: ConsoleStore, regions: readonly StatusRegion[]): Html {
  return table({
    caption: 'Regions, and what each of them brings back alone',
    columns: [
      ...[{ title: 'Region' }, { title: 'Is' }, { title: 'Newest point from there' }],
      ...[
        { title: 'Behind' },
        { title: 'Backups', numeric: true },
        { title: 'Promised' },
        { title: 'Vault' },
      ],
    ],
    rows: regions.map((region) => [
      word(region.region),
      word(KINDS[region.kind]),
      newest(visit, region),
      behind(region),
      region.backups === null ? '?' : formatCount(region.backups),
      region.kind === 'replica' ? promiseOf(store.objectives, 'region_rpo', region.region) : '',
      html`<code>${region.vault}</code>`,
    ]),
    empty: '',
  });
}

/** That an archive has nothing yet is as it should be, since only old chains go there. */
function newest(visit: Visit, { newestPoint, backups, kind }: StatusRegion): Html | string {
  if (newestPoint !== null) return instantAgo(newestPoint, visit.ports.now());
  if (backups === null) return badge('warning', 'not known');
  return kind === 'archive' ? 'nothing old enough yet' : badge('bad', 'nothing');
}

function behind({ lagSeconds, kind }: StatusRegion): Html | string {
  if (kind !== 'replica') return '';
  if (lagSeconds === null) return badge('warning', 'not known');
  return word(lagSeconds === 0 ? 'not at all' : span(lagSeconds * 1000));
}

function problem({ of, message, hint, code }: StatusProblem): Html {
  return notice(
    'bad',
    html`${of}: ${message} <code>${code}</code>${hint === null ? '' : html`<br />${inCode(hint)}`}`,
  );
}

function disasterLink(store: ConsoleStore): Html {
  return stacked(
    'Disaster recovery',
    html`<p>A server that died, a region that is away, data that somebody damaged: <a href="${storeLink(store.name, 'regions', 'disaster')}">who is the primary, who could take over, plans and runs</a>.</p>`,
  );
}
