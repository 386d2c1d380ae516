import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Alert, NotifierRule } from '../../src/core/alert.ts';
import { BackupError } from '../../src/core/errors.ts';
import type { JobName, JobRun, JobState } from '../../src/core/job.ts';
import type { UnderLease } from '../../src/core/lease.ts';
import type { Objective } from '../../src/core/status.ts';
import type { Vault } from '../../src/core/vault.ts';
import { type AlertService, tellAlerts } from '../../src/daemon/alerts.ts';
import { claimRun, recordEnd } from '../../src/daemon/job-records.ts';
import type { StoreView } from '../../src/daemon/store-view.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export interface Got {
  readonly to: string;
  readonly by: string;
  readonly atMs: number;
  readonly alert: Alert;
}

export interface FakeDaemon {
  readonly name: string;
  readonly alerts: AlertService;
  /** What it knows of the store; the world's, unless it is set. */
  objectives: readonly Objective[] | null;
  trouble: string | null;
  /** It is gone, in the middle of whatever it does. */
  kill(): void;
}

/** Daemons that tell of one store, by a clock that is moved by hand. */
export class AlertWorld {
  nowMs = Date.UTC(2026, 10, 29, 12);
  steadyMs = 0;
  objectives: readonly Objective[] = [objective('kept')];
  notifiers: readonly NotifierRule[] = [{ name: 'mail' }];
  readonly failing = new Set<string>();
  isVaultAway = false;
  /** It can be read. */
  isVaultFull = false;
  readonly got: Got[] = [];
  readonly untold: string[] = [];
  readonly vault: Vault = memoryVault();
  #holder: string | null = null;
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  daemon(name: string, onNotify: (daemon: FakeDaemon) => void = () => undefined): FakeDaemon {
    const life = { isDead: false };
    const daemon: FakeDaemon = {
      ...{ name, objectives: null, trouble: null },
      alerts: tellAlerts({
        ...{ clock: { now: () => this.nowMs, uuid: randomUUID }, steadyMs: () => this.steadyMs },
        ...{ random: () => 0, daemon: name, software: 'test', store: 'shop', subject: 'sqlite:./shop.db' },
        vault: this.#vaultOf(life),
        underLease: this.#leaseOf(name, life),
        pause: (ms, signal) => this.#sleep(ms, signal),
        view: (): StoreView => ({
          ...{ store: 'shop', status: STATUS, objectives: daemon.objectives ?? this.objectives },
          trouble: daemon.trouble,
        }),
        notifiers: () => this.notifiers,
        repeatAfterMs: () => DAY,
        countsFrom: (job) => (job === 'incremental' || job === 'archive' ? 2 : null),
        onUntold: (message) => this.untold.push(message),
        openNotifiers: async () =>
          this.notifiers.map(({ name: to }) => ({
            name: to,
            notify: async (alert) => {
              if (life.isDead) await new Promise(() => undefined);
              if (this.failing.has(to)) throw new BackupError('notification_failed', `${to} is away`);
              this.got.push({ to, by: name, atMs: this.nowMs, alert });
              onNotify(daemon);
            },
            close: async () => undefined,
          })),
      }),
      kill: () => {
        life.isDead = true;
        if (this.#holder === name) this.#holder = null;
      },
    };
    return daemon;
  }

  /** Time goes by, and all daemons do what they do. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.steadyMs + ms;
    await this.settle();
    for (;;) {
      const next = Math.min(...[...this.#sleepers].map(({ atMs }) => atMs));
      const toMs = Math.min(next, untilMs);
      this.nowMs += toMs - this.steadyMs;
      this.steadyMs = toMs;
      for (const sleeper of [...this.#sleepers]) if (sleeper.atMs <= toMs) sleeper.wake();
      await this.settle();
      if (next > untilMs) return;
    }
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 4; i += 1) await setImmediate();
  }

  /** A run of a job, on record. */
  async ran(job: JobName, state: JobState): Promise<void> {
    const { startedAt: at, ...run } = await this.began(job);
    const code = state === 'failed' ? 'store_unreachable' : null;
    await recordEnd(this.vault, { ...run, endedAt: at, durationMs: 1, state, exitCode: 5, code, facts: {} });
  }

  /** One that has not ended, on record. */
  async began(job: JobName): Promise<JobRun & { readonly startedAt: string }> {
    const at = new Date(this.nowMs).toISOString();
    const run = { job, wantedAt: at, attempt: 1 };
    const begin = { ...run, startedAt: at, daemon: 'd', software: 's', reason: 'due', missed: 0 };
    await claimRun(this.vault, begin);
    return { ...run, startedAt: at };
  }

  told(to = 'mail'): string[] {
    return this.got.filter((one) => one.to === to).map(({ alert }) => `${alert.state} ${alert.key}`);
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const sleeper = {
        atMs: this.steadyMs + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', sleeper.wake, { once: true });
    });
  }

  #leaseOf(name: string, life: { readonly isDead: boolean }): UnderLease {
    return async (work) => {
      if (this.isVaultAway) throw new BackupError('vault_unreachable', 'the vault is away');
      if (this.isVaultFull) throw new BackupError('vault_refused', 'no space is left');
      if (this.#holder !== null) throw new BackupError('lease_held', `${this.#holder} holds it`);
      this.#holder = name;
      try {
        const assertHeld = (): void => {
          if (this.#holder !== name) throw new BackupError('lease_held', 'it may have ended');
        };
        return await work({ epoch: 1, assertHeld }, new AbortController().signal);
      } finally {
        if (!life.isDead && this.#holder === name) this.#holder = null;
      }
    };
  }

  /** What a dead process asks for never comes. */
  #vaultOf(life: { readonly isDead: boolean }): Vault {
    const gate = async (): Promise<void> => {
      if (life.isDead) await new Promise(() => undefined);
      if (this.isVaultAway) throw new BackupError('vault_unreachable', 'the vault is away');
    };
    const { vault } = this;
    return new Proxy(vault, {
      get: (target, key) => {
        const value = target[key as keyof Vault];
        if (typeof value !== 'function') return value;
        if (key === 'list') {
          return async function* (prefix: string) {
            await gate();
            yield* vault.list(prefix);
          };
        }
        return async (...words: unknown[]) => {
          await gate();
          if (this.isVaultFull && key === 'createObject')
            throw new BackupError('vault_refused', 'no space is left');
          return (value as (...all: unknown[]) => unknown).apply(target, words);
        };
      },
    });
  }
}

const STATUS = {} as NonNullable<StoreView['status']>;

export function objective(state: Objective['state'], changes: Partial<Objective> = {}): Objective {
  return {
    ...{ name: 'rpo', region: null, promisedMs: HOUR, actualMs: 2 * HOUR, state },
    reason: 'what can be recovered ends two hours ago',
    next: state === 'kept' ? null : 'run `eventcore archive`',
    ...changes,
  };
}
