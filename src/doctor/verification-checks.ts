import { formatDuration, plural } from '../core/units.ts';
import { DAY_MS } from '../policy/duration.ts';
import { judgeVerified, promiseText, VERIFY_HINT } from '../policy/objectives.ts';
import { type VerificationAge, verificationStatus } from '../policy/verification-age.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';

const NAME = 'verification';
export const VERIFICATION_CHECKS = [NAME] as const;

/** Nobody promised anything: so long it goes without a warning. */
const DEFAULT_WITHIN_MS = 30 * DAY_MS;

/** Whether all was verified lately. What the policy promises and is not kept is bad; what nobody promised is worth a look. */
export function checkVerified(age: VerificationAge, withinMs: number | null): Check {
  const { oldestMs, oldest, never, unsound, units } = age;
  if (oldestMs === null) return skipped(NAME, 'there is nothing to verify');
  if (unsound.length > 0) {
    const named = unsound.slice(0, MOST_NAMED).join(', ');
    const more = unsound.length > MOST_NAMED ? ` and ${unsound.length - MOST_NAMED} more` : '';
    return bad(
      NAME,
      'damaged',
      `found unsound when last verified: ${named}${more}`,
      '`eventcore verify` says what is wrong, `--heal` replaces it by what another region has',
    );
  }
  const neverText = never === 0 ? '' : `, ${never} of them never verified`;
  const message = `oldest: ${formatDuration(oldestMs)} ago, ${oldest} (${plural(units, 'file')}${neverText})`;
  if (withinMs === null) {
    return oldestMs <= DEFAULT_WITHIN_MS ? good(NAME, message) : warn(NAME, message, VERIFY_HINT);
  }
  const objective = judgeVerified(verificationStatus(age), withinMs, 0);
  if (objective.state === 'kept') return good(NAME, message);
  return bad(NAME, 'verification_failed', `${message}: ${promiseText(objective)}`, objective.next);
}

/** Where somebody else judges the promise: what is unsound breaks it, too. */
export function leftOutVerification(): Check {
  return skipped(NAME, 'the policy promises it: left out here');
}

const MOST_NAMED = 5;
