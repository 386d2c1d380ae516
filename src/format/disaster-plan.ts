import {
  DISASTER_TRIGGERS,
  type PlannedStep,
  RECOVERY_RISKS,
  type RecoveryPlan,
  type RecoveryRisk,
} from '../core/disaster.ts';
import { BackupError } from '../core/errors.ts';
import type { Signer } from '../core/key-ring.ts';
import type { SignatureFinding, TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import {
  DISASTER_PREFIX,
  isLoss,
  isPrimary,
  isStepName,
  isStrategy,
  pickLoss,
  pickPrimary,
  pickStrategy,
} from './disaster-fields.ts';
import {
  cut,
  decodeRecord,
  digestRecord,
  encodeRecord,
  type Fields,
  findRecordSignature,
  isFields,
  isInstant,
  isListOf,
  isNullOr,
  isText,
  isTime,
  isUuid,
  putRecord,
  type RecordKind,
  readRecord,
  type Signed,
  timeInName,
  UUID,
} from './record.ts';

/** Plans of recoveries (FORMAT.md §22). `createdAt` has milliseconds, as `toISOString` gives it. */
export const PLANS_PREFIX = `${DISASTER_PREFIX}plans/`;
const NAME = new RegExp(`^${PLANS_PREFIX}\\d{8}T\\d{9}Z-(${UUID})\\.json$`);

/** They sort by their time. */
export function planName({ createdAt, planId }: Pick<RecoveryPlan, 'createdAt' | 'planId'>): string {
  return `${PLANS_PREFIX}${timeInName(createdAt)}-${planId}.json`;
}

/** Null when an object of this name is no plan. */
export function parsePlanName(name: string): { readonly planId: string } | null {
  const planId = NAME.exec(name)?.[1];
  return planId === undefined ? null : { planId };
}

const PLAN: RecordKind<RecoveryPlan> = {
  what: 'the plan',
  versionKey: 'planVersion',
  signed: 'eventcore disaster plan 1\n',
  maxBytes: 4 << 20,
  isOne: isPlan,
  pick: pickPlan,
};

/** With a signer, it says who has made the plan. */
export function encodePlan(plan: RecoveryPlan, signer: Signer | null): Buffer {
  return encodeRecord(PLAN, plan, signer);
}

/** Throws `damaged`. */
export function decodePlan(bytes: Uint8Array): Signed<RecoveryPlan> {
  return decodeRecord(PLAN, bytes);
}

export function findPlanSignature(plan: Signed<RecoveryPlan>, trust: TrustPolicy): SignatureFinding {
  return findRecordSignature(PLAN, plan, trust);
}

export interface StoredPlan {
  readonly plan: Signed<RecoveryPlan>;
  /** The first entry of its journal names it by this. */
  readonly digest: string;
  /** For the other vaults: copies are the same to the byte. */
  readonly bytes: Uint8Array;
}

/** Writes a plan, or its copy. Done again with the same bytes it changes nothing. */
export async function putPlan(vault: Vault, bytes: Uint8Array): Promise<void> {
  const name = planName(decodePlan(bytes));
  if (await putRecord(vault, name, bytes)) return;
  throw new BackupError('damaged', `${name} is there and is another plan`, {
    hint: 'plans are written once: somebody wrote under its name; make a new plan',
  });
}

/** Names of plans, the oldest first. */
export async function listPlans(vault: Vault): Promise<{ readonly name: string; readonly planId: string }[]> {
  const plans: { name: string; planId: string }[] = [];
  for await (const { name } of vault.list(PLANS_PREFIX)) {
    const parsed = parsePlanName(name);
    if (parsed !== null) plans.push({ name, ...parsed });
  }
  return plans;
}

/** The plan with this id; null when this vault has none. Throws `damaged`. */
export async function readPlan(vault: Vault, planId: string): Promise<StoredPlan | null> {
  const found = (await listPlans(vault)).find((one) => one.planId === planId);
  if (found === undefined) return null;
  const bytes = await readRecord(vault, found.name, PLAN.maxBytes);
  if (bytes === null) return null;
  const plan = decodePlan(bytes);
  if (planName(plan) !== found.name) throw new BackupError('damaged', `${found.name} holds another plan`);
  return { plan, bytes, digest: digestRecord(bytes) };
}

function isPlan(value: Fields): boolean {
  const { planId, createdAt, software, trigger, strategy, reasons, recoverTo, primary, target } = value;
  const { estimatedDataLoss, journalVault, vaults, steps, risks } = value;
  return (
    isUuid(planId) &&
    isInstant(createdAt) &&
    [software, journalVault].every(isText) &&
    (DISASTER_TRIGGERS as readonly unknown[]).includes(trigger) &&
    isStrategy(strategy) &&
    isListOf(reasons, isText) &&
    isNullOr(isTime)(recoverTo) &&
    isPrimary(primary) &&
    isFields(target) &&
    isText(target.region) &&
    isNullOr(isText)(target.server) &&
    isLoss(estimatedDataLoss) &&
    isListOf(vaults, isText) &&
    isListOf(steps, isPlannedStep) &&
    isListOf(risks, isRisk)
  );
}

function isPlannedStep(value: unknown): value is PlannedStep {
  return isFields(value) && isStepName(value.step) && typeof value.does === 'boolean' && isText(value.text);
}

function isRisk(value: unknown): boolean {
  return (
    isFields(value) &&
    isText(value.risk) &&
    Object.hasOwn(RECOVERY_RISKS, value.risk as RecoveryRisk) &&
    isText(value.text)
  );
}

function pickPlan(plan: RecoveryPlan): RecoveryPlan {
  const { planId, createdAt, software, trigger, recoverTo, journalVault } = plan;
  return {
    ...{ planId, createdAt, software, trigger },
    strategy: pickStrategy(plan.strategy),
    reasons: plan.reasons.map(cut),
    recoverTo,
    primary: pickPrimary(plan.primary),
    target: { region: plan.target.region, server: plan.target.server },
    estimatedDataLoss: pickLoss(plan.estimatedDataLoss),
    journalVault,
    vaults: [...plan.vaults],
    steps: plan.steps.map(({ step, does, text }) => ({ step, does, text: cut(text) })),
    risks: plan.risks.map(({ risk, text }) => ({ risk, text: cut(text) })),
  };
}
