import type { Cluster } from '../cluster.ts';
import { error, type Remark } from '../finding.ts';
import type { FieldPath } from '../manifest.ts';
import { quantityBytes } from '../quantity.ts';
import { recordAt, textAt, valueAt } from '../values.ts';

/** The name, and how large its volumes are. */
export function checkStorage({ manifest, spec }: Cluster): Remark[] {
  return [
    ...checkName(manifest.name),
    ...checkSize(spec.storage, ['spec', 'storage']),
    ...(recordAt(spec, 'walStorage') === null ? [] : checkSize(spec.walStorage, ['spec', 'walStorage'])),
  ];
}

function checkName(name: string): Remark[] {
  if (/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name) && name.length <= 50) return [];
  const hint = 'lower-case letters, digits and hyphens, beginning with a letter, at most 50 of them';
  return [
    error('name_invalid', ['metadata', 'name'], `a Cluster cannot be called ${JSON.stringify(name)}`, hint),
  ];
}

/** A size, or a claim that asks for one. */
function checkSize(storage: unknown, at: FieldPath): Remark[] {
  const size = textAt(storage, 'size') ?? '';
  const asked = valueAt(storage, 'pvcTemplate', 'resources', 'requests', 'storage');
  if (size === '' && (asked === undefined || quantityBytes(String(asked)) === 0)) {
    const hint = `write ${at.join('.')}.size, as 100Gi`;
    return [
      error('storage_size', at, 'no size is said: the operator refuses it (Size not configured)', hint),
    ];
  }
  const bytes = quantityBytes(size === '' ? String(asked) : size);
  if (bytes !== null && bytes > 0) return [];
  return [
    error(
      'storage_size',
      [...at, 'size'],
      `${JSON.stringify(size)} is no size`,
      'a number and a unit, as 100Gi',
    ),
  ];
}
