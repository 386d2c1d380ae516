/** What adapters of one's own are held to, and events to try them with: `eventcore-backup/testing`. */

export {
  type BatchOptions,
  batchRows,
  completeEvent,
  makeBatch,
  type TestEvent,
  type TestText,
} from './batches.ts';
export { type GeneratorOptions, generateAppends, generateBatches } from './event-generator.ts';
export {
  type EventStoreContractOptions,
  type EventStoreFixture,
  eventStoreContract,
  type StoreCapabilities,
} from './event-store-contract.ts';
export { type VaultContractOptions, type VaultFixture, vaultContract } from './vault-contract.ts';
