import { chunkCodec } from '../../format/chunk-codec.ts';
import type { EventWriter } from './events.ts';
import type { ExportSink } from './sink.ts';

/** One JSON object a line (FORMAT.md). Chunks that are so already go out as they are. */
export function jsonLinesWriter(sink: ExportSink): EventWriter {
  const lines = chunkCodec('jsonl');
  return {
    write: (batch) => sink.write(lines.encode(batch)),
    asItIs: { format: 'jsonl', write: (plain) => sink.write(plain) },
    end: async () => true,
  };
}
