import { type Answer, answerXml, bodyText, type Call } from './call.ts';
import { removeOne } from './objects.ts';
import { S3Error } from './s3-error.ts';
import { type Bucket, findBucket } from './world.ts';
import { type Element, malformed, readXml, textOf, type XmlNode } from './xml.ts';

const MAX_OBJECTS = 1000;

/** Each on its own: those that are refused stand in the answer, which is 200 nevertheless. */
export function deleteObjects(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  if (!call.payload.isProtected) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5');
  }
  const document = readXml(bodyText(call), 'Delete');
  const named = document.children.filter(({ name }) => name === 'Object');
  if (named.length === 0 || named.length > MAX_OBJECTS) throw malformed();
  const isQuiet = textOf(document, 'Quiet') === 'true';
  return answerXml(
    'DeleteResult',
    named.flatMap((node) => deleteNamed(call, bucket, node, isQuiet)),
  );
}

function deleteNamed(call: Call, bucket: Bucket, node: XmlNode, isQuiet: boolean): Element[] {
  const key = node.children.find(({ name }) => name === 'Key')?.text ?? '';
  const versionId = textOf(node, 'VersionId');
  try {
    const right = versionId === null ? 'DeleteObject' : 'DeleteObjectVersion';
    if (call.user.denied.has(right)) throw new S3Error('AccessDenied', 'Access Denied');
    const headers = removeOne(call, bucket, key, versionId);
    const marker = versionId === null ? (headers['x-amz-version-id'] ?? null) : null;
    const done: Element[] = [
      ['Key', key],
      ['VersionId', versionId],
      ['DeleteMarker', headers['x-amz-delete-marker'] ?? null],
      ['DeleteMarkerVersionId', marker],
    ];
    return isQuiet ? [] : [['Deleted', done]];
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    const failed: Element[] = [
      ['Key', key],
      ['VersionId', versionId],
      ['Code', error.code],
      ['Message', error.message],
    ];
    return [['Error', failed]];
  }
}
