import type { Answer, ConsoleStore } from '../../src/console/ports.ts';
import { assessDocument, plansDocument, RUNS, statusDocument } from './fixture-disaster.ts';
import { type DrillScene, drillListDocument, drillShowDocument } from './fixture-drills.ts';
import { type IntegrityScene, integrityDocument } from './fixture-integrity.ts';
import { NOW } from './fixture-jobs.ts';

/** What commands answer about what is proven of the stores: monitors, drills, recoveries. */

const MONITORS: Readonly<Record<string, IntegrityScene['state']>> = {
  ...{ shop: 'well', billing: 'none', orders: 'risk', ledger: 'damaged' },
};
const DRILLS: Readonly<Record<string, DrillScene['state']>> = {
  ...{ shop: 'well', billing: 'none', orders: 'well', ledger: 'failed' },
};
/** Which plan is the one that `dr status` shows; the others have no `disaster` section. */
const PLANS: Readonly<Record<string, string>> = { shop: RUNS.recovered, orders: RUNS.underWay };

/** Null where it is about something else. */
export function answerOfProofs({ name }: ConsoleStore, words: readonly string[]): Answer | null {
  const [verb, noun, third] = words;
  if (verb === 'monitor') return answered(integrityDocument({ nowMs: NOW, state: MONITORS[name] ?? 'none' }));
  if (verb === 'drill') return answered(drillDocument(noun, { nowMs: NOW, state: DRILLS[name] ?? 'none' }));
  if (verb !== 'dr') return null;
  const plan = PLANS[name];
  if (plan === undefined) return NOT_CONFIGURED;
  const trigger = words[words.indexOf('--trigger') + 1];
  if (noun === 'assess') return answered(assessDocument(NOW, words.includes('--trigger') ? trigger! : null));
  return answered(third === '--all' ? plansDocument() : statusDocument(NOW, third ?? plan));
}

function drillDocument(noun: string | undefined, scene: DrillScene): unknown {
  return noun === 'show' ? drillShowDocument(scene) : drillListDocument(scene);
}

function answered(document: unknown): Answer {
  return { state: 'answered', document, atMs: NOW - 4000, exitCode: 0 };
}

const NOT_CONFIGURED: Answer = {
  ...{ state: 'failed', code: 'usage', message: 'the configuration says nothing of disaster recovery' },
  hint: 'write `disaster:` with its regions into eventcore.config.yaml (docs/disaster-recovery.md)',
  ...{ facts: { missing: 'disaster' }, atMs: NOW - 4000 },
};
