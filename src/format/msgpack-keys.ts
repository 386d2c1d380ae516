/** The types of MessagePack that a chunk uses, by their first byte. */
export const MSGPACK = {
  nil: 0xc0,
  bin8: 0xc4,
  bin16: 0xc5,
  bin32: 0xc6,
  uint8: 0xcc,
  uint16: 0xcd,
  uint32: 0xce,
  uint64: 0xcf,
  int8: 0xd0,
  int16: 0xd1,
  int32: 0xd2,
  int64: 0xd3,
  str8: 0xd9,
  str16: 0xda,
  str32: 0xdb,
  fixStr: 0xa0,
  fixMap: 0x80,
  negativeFixInt: 0xe0,
} as const;

/** The keys of an event's map, encoded. The map has seven entries, or eight with the store's own text of the time. */
export const MAP_KEYS = {
  id: key('id'),
  stream: key('streamId'),
  version: key('version'),
  type: key('type'),
  recordedAt: key('recordedAt'),
  recordedAtText: key('recordedAtText'),
  metadata: key('metadata'),
  data: key('data'),
} as const;

export const USUAL_MAP = MSGPACK.fixMap | 7;
export const MAP_WITH_TIME_TEXT = MSGPACK.fixMap | 8;
export const LONGEST_KEY_BYTES = 16;

function key(name: string): Buffer {
  return Buffer.concat([Buffer.of(MSGPACK.fixStr | name.length), Buffer.from(name, 'ascii')]);
}
