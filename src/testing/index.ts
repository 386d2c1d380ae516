/** What adapters of one's own are held to, and events to try them with: `eventcore-backup/testing`. */

export {
  type BatchOptions,
  batchRows,
  completeEvent,
  makeBatch,
  type TestEvent,
  type TestText,
} from './batches.ts';
export type { FeedCapabilities } from './change-feed/fixture.ts';
export { type ChangeFeedContractOptions, changeFeedContract } from './change-feed-contract.ts';
export { clockContract } from './clock-contract.ts';
export { type GeneratorOptions, generateAppends, generateBatches } from './event-generator.ts';
export type { EventStoreFixture, StoreCapabilities } from './event-store/fixture.ts';
export { type EventStoreContractOptions, eventStoreContract } from './event-store-contract.ts';
export { type KeyRingFixture, keyRingContract } from './key-ring-contract.ts';
export { type NotifierFixture, notifierContract } from './notifier-contract.ts';
export type { VaultFixture } from './vault/fixture.ts';
export { type VaultContractOptions, vaultContract } from './vault-contract.ts';
