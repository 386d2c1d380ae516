import type { ServerState } from '../../core/disaster.ts';
import { isBackupError } from '../../core/errors.ts';
import { readNewestPrimary, recordPrimary } from '../../format/disaster-primary.ts';
import type { StepContext } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { targetOf } from './look.ts';

/**
 * Says in the vaults who the primary is now: in the journal's surely, in the others where they answer. Done again it changes nothing. Throws
 * `plan_outdated` when a later recovery has said otherwise.
 */
export async function recordPrimaryOf(
  context: StepContext,
  state: Pick<ServerState, 'systemIdentifier' | 'timeline'> | null,
): Promise<void> {
  const { plan, ports, settings, signal, vaults, epoch } = context;
  const { region, address: server } = targetOf(context);
  const record = {
    ...{ systemIdentifier: state?.systemIdentifier ?? '', timeline: state?.timeline ?? null },
    ...{ region, server, epoch, planId: plan.planId },
    recordedAt: new Date(ports.clock.now()).toISOString(),
  };
  const write = ({ vault }: (typeof vaults)[number]): Promise<void> =>
    withDeadline(`recording the primary in ${vault.address}`, 4 * settings.probeMs, signal, () =>
      recordPrimary(vault, record),
    );
  await write(journalVaultOf(context));
  await Promise.all(
    vaults
      .filter(({ vault }) => vault.address !== plan.journalVault)
      .map((place) =>
        write(place).catch((error: unknown) => {
          if (!isBackupError(error) || error.code === 'interrupted') throw error;
        }),
      ),
  );
}

/** Whether the vault of the journal says that it is the one of this run. */
export async function isRecorded(context: StepContext): Promise<boolean> {
  const { plan, settings, signal } = context;
  const { vault } = journalVaultOf(context);
  const { record } = await withDeadline(`asking ${vault.address}`, 4 * settings.probeMs, signal, () =>
    readNewestPrimary(vault),
  );
  return record?.planId === plan.planId && record.server === targetOf(context).address;
}

function journalVaultOf({ vaults, plan }: StepContext): StepContext['vaults'][number] {
  return vaults.find(({ vault }) => vault.address === plan.journalVault)!;
}
