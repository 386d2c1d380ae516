/** Every parser of the project. A new one gets a target. */
import type { FuzzTarget } from './engine/target.ts';
import { CHUNK_TARGETS } from './targets/chunks.ts';
import { DISASTER_TARGETS } from './targets/disaster.ts';
import { DOCUMENT_TARGETS } from './targets/documents.ts';
import { FRAME_TARGETS } from './targets/frames.ts';
import { KEY_TARGETS } from './targets/keys.ts';
import { LINE_TARGETS } from './targets/lines.ts';
import { MANIFEST_TARGETS } from './targets/manifests.ts';
import { MONITOR_TARGETS } from './targets/monitor.ts';
import { NAME_TARGETS } from './targets/names.ts';
import { SEALED_LOG_TARGETS } from './targets/sealed-log.ts';
import { SEAL_TARGETS } from './targets/seals.ts';
import { SERVER_TARGETS } from './targets/server.ts';
import { SETTING_TARGETS } from './targets/settings.ts';
import { TEXT_TARGETS } from './targets/texts.ts';
import { VANTAGE_TARGETS } from './targets/vantage.ts';
import { VAULT_TARGETS } from './targets/vaults.ts';

export const TARGETS: readonly FuzzTarget[] = [
  ...CHUNK_TARGETS,
  ...FRAME_TARGETS,
  ...DOCUMENT_TARGETS,
  ...MONITOR_TARGETS,
  ...DISASTER_TARGETS,
  ...VANTAGE_TARGETS,
  ...LINE_TARGETS,
  ...SEAL_TARGETS,
  ...KEY_TARGETS,
  ...VAULT_TARGETS,
  ...SEALED_LOG_TARGETS,
  ...SERVER_TARGETS,
  ...NAME_TARGETS,
  ...TEXT_TARGETS,
  ...SETTING_TARGETS,
  ...MANIFEST_TARGETS,
];
