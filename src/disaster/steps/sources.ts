import type { StepContext } from '../context.ts';
import { inEachVault } from './freeze.ts';

/**
 * Vaults that answer, the freshest first: the old primary's region has what its backups and its log wrote last, copies have it later. Then
 * the journal's, the other regions', and copies and archives.
 */
export async function sourcesOf(context: StepContext): Promise<string[]> {
  const answered = await inEachVault(context, async () => true);
  const { ports, plan } = context;
  const rank = (address: string): number => {
    const { region, keepsJournal } = ports.vaults.find(({ vault }) => vault.address === address)!;
    if (keepsJournal && region === plan.primary.region) return 0;
    if (address === plan.journalVault) return 1;
    return keepsJournal ? 2 : 3;
  };
  return answered
    .filter(({ result }) => result !== null)
    .map(({ vault }) => vault)
    .toSorted((a, b) => rank(a) - rank(b));
}
