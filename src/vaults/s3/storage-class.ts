const ARCHIVE_CLASSES = ['GLACIER', 'DEEP_ARCHIVE'];

/** True when an object of the class must be recalled before it can be read. */
export function isArchiveClass(storageClass: string | undefined): boolean {
  return storageClass !== undefined && ARCHIVE_CLASSES.includes(storageClass);
}
