import { html } from 'hono/html';
import { CANARY, DRILL_TESTS, type DrillState, type DrillTestName } from '../../core/drill.ts';
import type { SignatureFinding, SignatureState } from '../../core/trust.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { word } from '../parts/prose.ts';
import type { Html } from '../route.ts';

/** How drills and their evidence are said. */

export function resultBadge(passed: boolean): Html {
  return passed ? badge('good', 'passed') : badge('bad', 'failed');
}

export const TEST_WORDS: Readonly<Record<DrillTestName, string>> = {
  backup_creation: 'a backup is made',
  backup_verification: 'all backups are whole',
  partial_restore: 'some streams come back',
  full_restore: 'all of it comes back',
  point_in_time_recovery: 'an instant comes back',
  cross_region_restore: 'other regions bring it back',
  negative_canary: 'damage is refused',
};

const STATES: Readonly<Record<DrillState, readonly [Tone, string]>> = {
  passed: ['good', 'passed'],
  failed: ['bad', 'failed'],
  not_due: ['faint', 'not due'],
  skipped: ['faint', 'skipped'],
};

export function stateBadge(state: DrillState): Html {
  return badge(...STATES[state]);
}

/** What failed, with why; then how many passed, and what did not run. */
export function testMarks(
  tests: Readonly<Partial<Record<DrillTestName, DrillState>>>,
  reasons: Readonly<Partial<Record<DrillTestName, string>>>,
): Html {
  const all = ([...DRILL_TESTS, CANARY] satisfies DrillTestName[]).flatMap((name) => {
    const state = tests[name];
    return state === undefined ? [] : [{ name, state }];
  });
  const failed = all.filter(({ state }) => state === 'failed');
  const passed = all.filter(({ state }) => state === 'passed');
  const rest = all.filter(({ state }) => state === 'not_due' || state === 'skipped');
  return html`${failed.map(({ name }) => html`<p>${badge('bad', name)} <span class="muted">${reasons[name] ?? ''}</span></p>`)}${word(`${passed.length} of ${all.length} passed`)}${rest.map(({ name, state }) => html`<br /><span class="muted">${word(`${name} ${STATES[state][1]}`)}</span>`)}`;
}

const SIGNATURES: Readonly<Record<SignatureState, readonly [Tone, string]>> = {
  signed: ['good', 'signed'],
  unsigned: ['faint', 'not signed'],
  stranger: ['warning', 'by a stranger'],
  forged: ['bad', 'forged'],
};

export function signatureBadge(signature: SignatureFinding | null): Html {
  return signature === null ? badge('faint', 'not known') : badge(...SIGNATURES[signature.state]);
}
