import { LISTINGS } from './listings.ts';
import { ARCHIVE, LOCKS, VERSIONS } from './locks.ts';
import { OBJECTS } from './objects.ts';
import type { Sentence } from './scene.ts';
import { UPLOADS } from './uploads.ts';

/** What S3 does, as far as backups lean on it. */
export const SENTENCES: readonly Sentence[] = [
  ...OBJECTS,
  ...UPLOADS,
  ...LISTINGS,
  ...VERSIONS,
  ...LOCKS,
  ...ARCHIVE,
];
