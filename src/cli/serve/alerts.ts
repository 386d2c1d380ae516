import type { JobEnd } from '../../core/job.ts';
import { pause } from '../../core/pause.ts';
import type { Vault } from '../../core/vault.ts';
import { type AlertService, tellAlerts } from '../../daemon/alerts.ts';
import type { StoreView } from '../../daemon/store-view.ts';
import { publicText } from '../../drills/public-text.ts';
import { TRIED_AGAIN_FROM } from '../../policy/job-alerts.ts';
import { redactAddress } from '../address.ts';
import { underLease } from '../leases.ts';
import { MONITOR_DEFAULTS } from '../monitor/ports.ts';
import { notifierRules, openNotifiers } from '../notifiers.ts';
import { systemClock, systemHolder } from '../wire.ts';
import type { ServedStore } from './config.ts';
import type { ServeContext } from './log.ts';

export interface AlertedStore {
  readonly name: string;
  readonly vault: Vault;
  /** As the file has it now. */
  readonly current: () => ServedStore;
  /** What is known of it; null: it is not asked. */
  readonly view: () => StoreView | null;
}

/** Tells the notifiers of a store's configuration what is wrong with it, until it is stopped. */
export function beginAlerts(
  context: ServeContext,
  { name, vault, current, view }: AlertedStore,
): AlertService {
  const { log, software } = context;
  return tellAlerts({
    ...{ vault, clock: systemClock, daemon: systemHolder, software, pause, view, store: name },
    subject: redactAddress(current().settings.store ?? ''),
    underLease: underLease(vault, {}, 'alerts'),
    random: Math.random,
    steadyMs: () => performance.now(),
    openNotifiers: () => openNotifiers(current().settings, context),
    notifiers: () => notifierRules(current().settings),
    repeatAfterMs: () => current().settings.monitor.repeat_after ?? MONITOR_DEFAULTS.repeatAfterMs,
    countsFrom: (job) => {
      const plan = current().jobs.find((one) => one.name === job);
      return plan === undefined ? null : plan.timing.kind === 'asked' ? 1 : TRIED_AGAIN_FROM;
    },
    onUntold: (message) =>
      log.about({ store: name }).error(`somebody was not told, and is later: ${message}`),
  });
}

/** What a command said, as it may be told to anybody: without what names a stream. */
export function tellableTrouble({ code }: JobEnd, trouble: string | null): string | null {
  return trouble === null ? null : publicText(trouble, code);
}
