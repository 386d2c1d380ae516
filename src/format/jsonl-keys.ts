/**
 * The keys of a line, each with the punctuation before it and the quote that opens its value. A field has three
 * spellings: as it is, as text (JSON that a line cannot hold as it is), and base64 (what is not UTF-8).
 */
export const LINE_KEYS = {
  id: { text: key('{"id":"'), base64: key('{"idBase64":"') },
  stream: { text: key(',"streamId":"'), base64: key(',"streamIdBase64":"') },
  version: key(',"version":'),
  type: { text: key(',"type":"'), base64: key(',"typeBase64":"') },
  recordedAt: key(',"recordedAt":"'),
  recordedAtText: { text: key(',"recordedAtText":"'), base64: key(',"recordedAtBase64":"') },
  metadata: {
    json: key(',"metadata":'),
    text: key(',"metadataText":"'),
    base64: key(',"metadataBase64":"'),
  },
  data: { json: key(',"data":'), text: key(',"dataText":"'), base64: key(',"dataBase64":"') },
  end: key('}\n'),
} as const;

export interface TextKey {
  readonly text: Buffer;
  readonly base64: Buffer;
}

export interface JsonKey extends TextKey {
  readonly json: Buffer;
}

/** More than any key with its punctuation. */
export const LONGEST_KEY_BYTES = 32;

function key(text: string): Buffer {
  return Buffer.from(text, 'ascii');
}
