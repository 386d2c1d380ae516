/** A log of which a part is sealed (FORMAT.md §11.10), written once and never changed: each later program must open it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { NO_TRUST_POLICY } from '../../src/core/trust.ts';
import { openLogs } from '../../src/format/log-keys.ts';
import { readingOf } from '../../src/format/log-reader.ts';
import { verifyLog } from '../../src/integrity/verify/log.ts';
import { openKeys } from '../../src/keys/open.ts';
import { parseSecretSource } from '../../src/keys/secret.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { keysOf, makeRing } from '../harness/test-keys.ts';
import { onlyTimeline, readChanges } from './log-batches.ts';

const FOLDER = join(import.meta.dirname, '../vectors/v2/log');

describe('the golden sealed log', async () => {
  const vault = openDirectoryVault(FOLDER);
  await vault.open({ create: false });
  const identity = readFileSync(join(FOLDER, 'identity-of-a-test.txt'), 'utf8');
  const { ring } = await openKeys(
    { recipients: [], passphrase: null, identities: [parseSecretSource('env:OWNER', FOLDER)], signKey: null },
    { OWNER: identity },
  );
  const [timeline] = openLogs(vault, [await onlyTimeline(vault)], { ring, trust: NO_TRUST_POLICY });

  it('is opened by the identity that it was sealed for', async () => {
    const files = timeline!.spans.flatMap((span) => span.files);
    const blocks = await readChanges(vault, files, readingOf(timeline!));
    const said = blocks.map(({ header, transactions, events, removals }) => ({
      sealed: header.sealing != null,
      commits: transactions.map(({ xid, commit, time }) => `${xid} ${commit} ${time}`),
      events: events.map(({ streamId, version, type, data }) => `${streamId} ${version} ${type} ${data}`),
      removals: removals.map(({ kind, eventId }) => `${kind} ${eventId}`),
    }));
    assert.deepEqual(said, [
      {
        ...{ sealed: false, commits: ['7 10 5'], removals: [] },
        events: ['order-1 1 Shipped {"n":1}', 'order-0 2 Shipped {"n":2}'],
      },
      {
        ...{ sealed: true, commits: ['8 20 6'], removals: ['delete gone'] },
        events: ['order-1 3 Shipped {"n":3}'],
      },
      {
        ...{ sealed: true, commits: ['9 30 7'], removals: [] },
        events: ['order-0 4 Shipped {"n":4}', 'order-1 5 Shipped {"n":5}'],
      },
    ]);
  });

  it('is sound, and signed where it is sealed', async () => {
    const { problems, contentsChecked, signedBy, blocksUnsigned } = await verifyLog(vault, timeline!, {
      quick: false,
    });
    assert.deepEqual([problems, contentsChecked, blocksUnsigned], [[], true, 1]);
    assert.deepEqual(signedBy, ['ed25519:gFTRsCDyhIFCl5nlMoOL72lGm2iPcr0lJBv0fmBBInU']);
    const [closed] = openLogs(vault, [await onlyTimeline(vault)], keysOf(makeRing([])));
    const digests = await verifyLog(vault, closed!, { quick: false });
    assert.deepEqual([digests.problems, digests.contentsChecked], [[], false]);
  });
});
