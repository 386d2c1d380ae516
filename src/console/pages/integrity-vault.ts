import { html } from 'hono/html';
import type { Rung } from '../../core/rungs.ts';
import type { StatusVerification } from '../../core/status.ts';
import { formatCount, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import { storeLink } from '../links.ts';
import { notice } from '../parts/answer.ts';
import { badge } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { jobNow } from '../parts/job-now.ts';
import { promiseOf } from '../parts/promise.ts';
import { stacked } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { span } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';

/** What is known of what lies in the vault: when it was verified, and how that ended. */
export function vaultSection(visit: Visit, store: ConsoleStore): Html {
  const verification = store.status?.verification ?? null;
  const sinceMs = visit.ports.now() - Date.parse(store.status?.at ?? '');
  const promise = store.objectives.find(({ name }) => name === 'verified_within');
  const job = jobNow(visit, store, { job: 'verify', button: 'Verify now', words: ['verify'] });
  const body =
    verification === null
      ? html`${notice('faint', 'What was verified of the vault is not known.')}${job}`
      : html`${verdict(verification, promise?.state === 'kept')}${facts([
          ['Promised', promiseOf(store.objectives, 'verified_within')],
          ...verifiedFacts(verification, sinceMs),
          ['Backup by backup', html`<a href="${storeLink(store.name, 'backups')}">Backups</a>`],
        ])}${verification.unsound === 0 ? '' : wayOut(store)}${ladder(verification)}${job}`;
  return stacked('Vault', body, { id: 'vault', live: true });
}

/** What was written just now was never verified: that is well for as long as the promise is kept. */
function verdict({ unsound, never, units }: StatusVerification, isKept: boolean): Html {
  if (units === 0) return notice('faint', 'There is nothing in the vault to verify yet.');
  if (unsound > 0)
    return notice('bad', `${plural(unsound, 'part')} of the vault: unsound when verified last.`);
  if (never > 0)
    return notice(
      isKept ? 'faint' : 'warning',
      `Nothing was found wrong; ${formatCount(never)} of ${plural(units, 'file')} were never verified.`,
    );
  return notice('good', 'All of it was verified, and is sound.');
}

function verifiedFacts(
  { oldestSeconds, never, units, unsound }: StatusVerification,
  sinceMs: number,
): readonly (readonly [string, Html | string])[] {
  return [
    [
      'Longest ago',
      oldestSeconds === null
        ? 'nothing is there'
        : `${span(oldestSeconds * 1000 + sinceMs)} since it was verified or written`,
    ],
    ['Files', `${formatCount(units)}, of these ${formatCount(never)} never verified`],
    ['Unsound', unsound === 0 ? 'none' : badge('bad', formatCount(unsound))],
  ];
}

/** What a verification proved, and could not: without a key, for example, nothing is opened. */
const RUNG_WORDS: Readonly<Record<Rung, string>> = {
  existence: 'it is there',
  size: 'it is as long as it should be, and complete',
  checksum: 'its bytes are those that were written',
  seal: 'keys, tags and signatures fit',
  decode: 'it can be read',
  structure: 'each event has its id, stream, version and time',
  order: 'versions and times follow one another',
  counts: 'it adds up, with what it builds on',
  completeness: 'nothing that the store has is missing',
};

function ladder({ proven, units }: StatusVerification): Html | string {
  if (proven.length === 0) return '';
  return table({
    caption: 'What was proven of the files, when they were verified last',
    columns: [{ title: 'Proven' }, { title: 'Means' }, { title: 'Files', numeric: true }],
    rows: proven.map(({ rung, units: count }) => [
      html`<code>${rung}</code>`,
      RUNG_WORDS[rung],
      `${formatCount(count)} of ${formatCount(units)}`,
    ]),
    empty: '',
  });
}

function wayOut(store: ConsoleStore): Html {
  return html`<p>Which files, and what of them: the first command. The second one takes what is damaged from another region (docs/regions.md).</p>
${commandBox(commandLine(store, 'verify'))}${commandBox(commandLine(store, 'verify', '--heal'))}`;
}
