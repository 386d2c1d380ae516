import type { RecoveryStep } from '../core/disaster.ts';
import type { StepCode } from './context.ts';
import { checkStep } from './steps/check.ts';
import { chooseStep } from './steps/choose.ts';
import { drainStep } from './steps/drain.ts';
import { fenceStep } from './steps/fence.ts';
import { freezeStep } from './steps/freeze.ts';
import { migrateStep } from './steps/migrate.ts';
import { notifyStep } from './steps/notify.ts';
import { probeStep } from './steps/probe.ts';
import { promoteStep } from './steps/promote.ts';
import { rejoinStep } from './steps/rejoin.ts';
import { releaseStep } from './steps/release.ts';
import { reprotectStep } from './steps/reprotect.ts';
import { restoreStep } from './steps/restore.ts';
import { salvageStep } from './steps/salvage.ts';
import { scaleStep } from './steps/scale.ts';
import { switchNameStep } from './steps/switch-name.ts';
import { verifyPublicStep } from './steps/verify-public.ts';

/** What each step does. */
export const STEP_CODE: Readonly<Record<RecoveryStep, StepCode>> = {
  freeze: freezeStep,
  fence: fenceStep,
  drain: drainStep,
  choose: chooseStep,
  promote: promoteStep,
  restore: restoreStep,
  migrate: migrateStep,
  check: checkStep,
  probe: probeStep,
  scale: scaleStep,
  switch_name: switchNameStep,
  verify_public: verifyPublicStep,
  notify: notifyStep,
  reprotect: reprotectStep,
  salvage: salvageStep,
  rejoin: rejoinStep,
  release: releaseStep,
};
