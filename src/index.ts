/** EventCore Backup as a library. Everything that is public stands here, by name. */

export {
  type ConsolidationOptions,
  type ConsolidationPorts,
  type ConsolidationReport,
  consolidateChain,
} from './backup/consolidate.ts';
export {
  type FullBackupOptions,
  type FullBackupPorts,
  type FullBackupReport,
  takeFullBackup,
} from './backup/full.ts';
export {
  type IncrementalOptions,
  type IncrementalOutcome,
  type IncrementalPorts,
  type IncrementalReport,
  takeIncrementalBackup,
} from './backup/incremental.ts';
export {
  type ArchiveNote,
  type ArchiveOptions,
  type ArchivePorts,
  archive,
  type Outage,
} from './capture/archiver.ts';
export type { ArchiveStatus } from './capture/status.ts';
export type { Alert, Notifier } from './core/alert.ts';
export {
  type ChangeBatch,
  type ChangeFeed,
  type FeedOptions,
  type FeedReadOptions,
  type FeedSource,
  type FeedState,
  type Horizon,
  NEW_LOG,
  type Removal,
  type TransactionTable,
} from './core/change-feed.ts';
export type { Clock } from './core/clock.ts';
export type { CustomMapping, CustomMappings, CustomSequence, CustomTable } from './core/custom-mapping.ts';
export type {
  DifferenceKind,
  DifferenceReport,
  StreamDifference,
} from './core/differences.ts';
export {
  BackupError,
  type BackupErrorOptions,
  ERROR_CODES,
  type ErrorCode,
  isBackupError,
} from './core/errors.ts';
export type { AppendResult, NewEvent, StoredEvent, StreamAppend } from './core/event.ts';
export { type EventBatch, MAX_VERSION, NULL_LENGTH, type Spans, spanBytes } from './core/event-batch.ts';
export type {
  BatchReader,
  BatchWriter,
  BlockPlan,
  CompanionRole,
  CompanionRow,
  EventStore,
  JoinedPart,
  MergedStream,
  MergeOptions,
  MergeSession,
  PartWriter,
  PlaceAhead,
  RangeBatch,
  RestoreSession,
  RestoreSessionOptions,
  StoreCursor,
  StoreDescription,
  StoreKind,
  StoreRange,
  StoreSnapshot,
  StreamHead,
  StreamSummary,
  StreamTail,
} from './core/event-store.ts';
export type { Obstacle, StoreExamination } from './core/examination.ts';
export type { Finding, FindingRung, RepairKind, SweepPlace } from './core/finding.ts';
export type {
  InspectionOptions,
  SelectOptions,
  SqlCheckpoints,
  SqlGuard,
  SqlIndex,
  SqlNames,
  SqlRow,
  SqlSnapshots,
  SqlValue,
  StoreInspection,
  StreamSample,
} from './core/inspection.ts';
export type { KeyRing, Signer, WrappedKey } from './core/key-ring.ts';
export type { Lease, UnderLease } from './core/lease.ts';
export type {
  BackupKind,
  ChunkFormat,
  Compression,
  EventRange,
  FileRole,
  Manifest,
  ManifestFile,
  ManifestStore,
  Oddities,
} from './core/manifest.ts';
export type {
  ArchiveTier,
  PrimaryRegion,
  RecoveryObjectives,
  RegionPolicy,
  ReplicaRegion,
  Schedule,
} from './core/region-policy.ts';
export type { PutBackCounts, RepairOptions, RepairSession, RepairStatement } from './core/repair.ts';
export {
  type BackupVerification,
  type FoundProblem,
  type Problem,
  type ProblemCode,
  type Progress,
  RUNG_OF,
} from './core/report.ts';
export type { RetentionRule } from './core/retention-rule.ts';
export { RUNGS, type Rung, type RungResult } from './core/rungs.ts';
export { formatTime, parseTime, timeFromUnixMs, timeToUnixMs } from './core/time.ts';
export type { SignatureFinding, SignatureState, TrustPolicy } from './core/trust.ts';
export type { ObjectInfo, ObjectWriter, Recall, Vault, VaultTraits } from './core/vault.ts';
export type { BundleKeys } from './format/bundle-keys.ts';
export type { WriteKeys } from './format/bundle-seal.ts';
export {
  type Catalog,
  type CatalogEntry,
  type DamagedEntry,
  findBackup,
  newestBackup,
  readCatalog,
  type UnfinishedEntry,
} from './format/catalog.ts';
export {
  type Chain,
  type ChainBreak,
  type ChainMember,
  followChain,
  isBroken,
  newestRestorePoint,
  type RestorePoint,
  requireChain,
} from './format/chain.ts';
export { readChainHeads } from './format/chain-heads.ts';
export { type ChunkCodec, chunkCodec } from './format/chunk-codec.ts';
export type { HeadLine } from './format/heads.ts';
export { type Freeze, type Hold, isFrozen, readFreezes, readHolds } from './format/keep-marks.ts';
export { readCompanions, readHeads } from './format/line-files.ts';
export {
  type LogFile,
  type LogKeys,
  type LogSpan,
  type LogTimeline,
  readLogCatalog,
} from './format/log-catalog.ts';
export { openLogs } from './format/log-keys.ts';
export { type OpenNeed, openChain, type ReadKeys } from './format/open-bundle.ts';
export { BUILT_IN_CHECKS } from './integrity/checks/built-in.ts';
export {
  type CheckDefinition,
  type CheckFinding,
  type CheckFound,
  type CheckQuestion,
  type CheckSettings,
  type CheckSkip,
  CLOCK_TOLERANCE_MS,
} from './integrity/checks/check.ts';
export { type SqlCheck, sqlCheck } from './integrity/checks/custom.ts';
export {
  type CheckResult,
  type ChecksOptions,
  type ChecksReport,
  runChecks,
} from './integrity/checks/run.ts';
export type {
  EventStep,
  FoundForRepair,
  RepairPlan,
  RepairRefusal,
  RepairStep,
  StatementStep,
} from './integrity/repair/plan.ts';
export type { RepairPorts, StepResult } from './integrity/repair/ports.ts';
export {
  type ApplyOptions,
  applyRepair,
  type PlanOptions,
  planRepair,
  type RepairResult,
} from './integrity/repair/repair.ts';
export { digestStore } from './integrity/store-digest.ts';
export { type VerifyOptions, type VerifyPorts, verifyBackup } from './integrity/verify/backup.ts';
export {
  type VerifiedEntry,
  type VerifyChainsOptions,
  verifyChains,
} from './integrity/verify/chains.ts';
export { openKeys } from './keys/load.ts';
export type { KeySources } from './keys/open.ts';
export type { SecretSource } from './keys/secret.ts';
export type { CheckpointOutcome, CheckpointPolicy } from './recovery/checkpoints.ts';
export type { AllowedLoss, Conversion, EnvelopeHandling, Loss } from './recovery/conversion.ts';
export type { LoadHooks, LoadResult } from './recovery/load-chunks.ts';
export { type LoadPartJob, loadPart } from './recovery/load-part.ts';
export { measureLosses } from './recovery/losses.ts';
export { type MergeReport, type MergeStreamsOptions, mergeStreams } from './recovery/merge-streams.ts';
export { planRestore, type RestorePlan } from './recovery/plan.ts';
export {
  type LogPart,
  planRecovery,
  type ReachedPoint,
  type RecoveryPlan,
  type RecoverySources,
} from './recovery/plan-recovery.ts';
export {
  type RecoveryReport,
  type RestoreOptions,
  type RestorePorts,
  type RestoreReport,
  restoreBackup,
} from './recovery/restore.ts';
export { restoreStreams, type StreamsOptions, type StreamsReport } from './recovery/restore-streams.ts';
export type { RecoveryTarget } from './recovery/target.ts';
export { type MemoryStoreOptions, memoryStore } from './stores/memory/store.ts';
export { openPostgresStore } from './stores/postgres/store.ts';
export { openSqliteStore } from './stores/sqlite/store.ts';
export { archiveChains, archivedBackups } from './upkeep/archive-tier.ts';
export { type CopyHooks, type CopyJob, type CopyResult, copyObject } from './upkeep/copy-object.ts';
export { freeze, unfreeze } from './upkeep/freeze.ts';
export { type HealOptions, type HealPorts, type HealReport, healVault } from './upkeep/heal.ts';
export { addHold, type HeldBackup, type HoldRequest, listHolds, removeHold } from './upkeep/holds.ts';
export type { VaultLag } from './upkeep/lag.ts';
export { type LeaseOptions, type LeasePorts, UPKEEP_LEASE, withLease } from './upkeep/lease.ts';
export {
  applyPrune,
  type PruneOptions,
  type PrunePlan,
  type PruneReport,
  planPrune,
} from './upkeep/prune.ts';
export { type RecallOptions, recallObjects } from './upkeep/recall.ts';
export { storeDonor } from './upkeep/store-donor.ts';
export {
  type SyncOptions,
  type SyncPorts,
  type SyncReport,
  type SyncRules,
  syncVault,
} from './upkeep/sync.ts';
export { type RulesOptions, rulesOf } from './upkeep/sync-rules.ts';
export type { FactsOptions } from './upkeep/vault-facts.ts';
export { openDirectoryVault } from './vaults/fs/vault.ts';
export { memoryVault } from './vaults/memory/vault.ts';
export type { S3VaultOptions } from './vaults/s3/options.ts';
export { openS3Vault } from './vaults/s3/vault.ts';
export { type DryRunChange, type DryRunOptions, dryRunVault } from './vaults/wrappers/dry-run.ts';
export {
  DURATION_CLASSES_MS,
  meteredVault,
  type OperationMeter,
  type VaultMeters,
  type VaultOperation,
} from './vaults/wrappers/metered.ts';
export { type MirrorLapse, type MirrorOptions, mirrorVault } from './vaults/wrappers/mirror.ts';
export { makeRateBudget, type RateBudget } from './vaults/wrappers/rate.ts';
export { readOnlyVault } from './vaults/wrappers/read-only.ts';
export { type RetryOptions, retryVault } from './vaults/wrappers/retry.ts';
export { type ThrottleOptions, throttleVault } from './vaults/wrappers/throttle.ts';
